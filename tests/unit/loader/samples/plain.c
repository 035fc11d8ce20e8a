/* A plugin that does nothing; what it claims to be comes from the build. */
#include "gantry/abi/entry.h"

static gantry_status create(const gantry_host *host, const gantry_instance **out) {
  (void)out;
  return host->fail(host, GANTRY_UNSUPPORTED, (gantry_str){"a sample", 8});
}

const gantry_entry gantry_plugin = {sizeof(gantry_entry), SAMPLE_MAJOR, SAMPLE_MINOR, SAMPLE_ID, SAMPLE_VERSION,
                                    "sample",             create};
