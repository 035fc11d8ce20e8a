/* A plugin that needs a function nobody has. */
#include "gantry/abi/entry.h"

int function_that_nobody_has(void);

static gantry_status create(const gantry_host *host, const gantry_instance **out) {
  (void)host;
  (void)out;
  return function_that_nobody_has();
}

const gantry_entry gantry_plugin = {sizeof(gantry_entry), 1, 0, "order", "1.0.0", "sample", create};
