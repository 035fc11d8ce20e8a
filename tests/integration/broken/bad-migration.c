/* Its schema is no SQL. */
#define BROKEN_SETUP                                             \
  return broken_migrate(self, "CREATE TABEL things (id TEXT PRIMARY KEY)", \
                        "30b57909341a1ff7f6c26ddb99255631919fc1f7d5af30ec0665a7d5134f1620");
#define BROKEN_PLUGIN
#include "broken.h"
