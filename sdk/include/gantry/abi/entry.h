/* Gantry plugin ABI: the one symbol that a plugin exports.
 *
 *   const gantry_entry gantry_plugin = { sizeof(gantry_entry), GANTRY_ABI_MAJOR, ... };
 *
 * The host reads abi_major and abi_minor from the manifest before it loads the file, and again from
 * this struct before it calls anything.
 */
#ifndef GANTRY_ABI_ENTRY_H
#define GANTRY_ABI_ENTRY_H

#include "gantry/abi/host.h"
#include "gantry/abi/plugin.h"
#include "gantry/abi/types.h"
#include "gantry/abi/version.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct gantry_entry {
  uint32_t struct_size;
  uint16_t abi_major;
  uint16_t abi_minor;
  const char *id;      /* lower case, digits and '-'; begins with a letter; at most 63 characters */
  const char *version; /* semver 2.0 */
  const char *sdk;     /* what built it, e.g. "gantry-cpp 0.1.0" */

  /* Makes one instance. On GANTRY_OK *out is set; the host calls (*out)->destroy when it is done with
   * it. `host` stays valid until then. Must not call the host except capability, fail and error. [main] */
  gantry_status (*create)(const gantry_host *host, const gantry_instance **out);
} gantry_entry;

#if defined(_WIN32)
#define GANTRY_EXPORT __declspec(dllexport)
#else
#define GANTRY_EXPORT __attribute__((visibility("default")))
#endif

extern GANTRY_EXPORT const gantry_entry gantry_plugin;

#ifdef __cplusplus
}
#endif
#endif
