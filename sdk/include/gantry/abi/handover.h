/* Gantry plugin ABI: "gantry.handover/1", offered by a plugin that keeps state in memory and wants to pass it on
 * to the generation that replaces it. */
#ifndef GANTRY_ABI_HANDOVER_H
#define GANTRY_ABI_HANDOVER_H

#include "gantry/abi/host.h"
#include "gantry/abi/threads.h"
#include "gantry/abi/types.h"

#ifdef __cplusplus
extern "C" {
#endif

#define GANTRY_HANDOVER_1 "gantry.handover/1"

/* Where exported bytes go; each piece is copied. */
typedef gantry_status (*gantry_handover_sink)(void *sink, gantry_str piece);

typedef struct gantry_handover_1 {
  uint32_t struct_size;

  /* The newest format that this generation writes; it also reads this one and the one before. */
  uint32_t format;

  /* Writes the state in `format` (its own or the one before). No handler runs meanwhile. UNSUPPORTED:
   * a format it can't write. [main] */
  gantry_status (*export_state)(void *self, uint32_t format, gantry_handover_sink write, void *sink);

  /* Takes the state over. Before the first handler. [main] */
  gantry_status (*import_state)(void *self, uint32_t format, gantry_str state);

  /* How many bytes the state has, about: the host makes room for them before it lets requests wait. 0: not known.
   * Handlers run meanwhile. May be NULL. Since 1.1: absent where struct_size ends before it. [main] */
  uint64_t (*state_size)(void *self);
} gantry_handover_1;

#ifdef __cplusplus
}
#endif
#endif
