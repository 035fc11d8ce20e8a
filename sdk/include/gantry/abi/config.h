/* Gantry plugin ABI: "gantry.config/1", the plugin's part of the topology file. */
#ifndef GANTRY_ABI_CONFIG_H
#define GANTRY_ABI_CONFIG_H

#include "gantry/abi/host.h"
#include "gantry/abi/threads.h"
#include "gantry/abi/types.h"

#ifdef __cplusplus
extern "C" {
#endif

#define GANTRY_CONFIG_1 "gantry.config/1"

typedef struct gantry_config_1 {
  uint32_t struct_size;

  /* Declares the JSON Schema (2020-12; type, properties, required, enum, minimum, maximum, items,
   * additionalProperties, pattern, default) that the configuration is checked against before anything
   * starts. Only inside setup. [main] */
  gantry_status (*schema)(const gantry_host *host, gantry_str json_schema);

  /* The configuration as a JSON object, with the schema's defaults filled in. Valid until destroy.
   * Empty inside setup. [main, lane, pool] */
  gantry_str (*get)(const gantry_host *host);
} gantry_config_1;

#ifdef __cplusplus
}
#endif
#endif
