/* Gantry plugin ABI: an instance of a plugin as the host sees it. */
#ifndef GANTRY_ABI_PLUGIN_H
#define GANTRY_ABI_PLUGIN_H

#include "gantry/abi/threads.h"
#include "gantry/abi/types.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The life of an instance: create -> setup -> start -> (handlers) -> stop -> destroy.
 * A function that fails sets an error text with host->fail(); the host then calls destroy and
 * nothing else. Owned by the plugin, valid until destroy returns. */
typedef struct gantry_instance {
  uint32_t struct_size;
  void *self; /* passed back to each function below */

  /* Declares everything that the plugin has and needs: routes, subscriptions, events it emits, job
   * kinds, timers, calls, migrations, the schema of its configuration. Neither store nor
   * configuration can be used yet. The host compares what is declared here with the manifest of the
   * file and refuses a plugin whose two accounts differ. [main] */
  gantry_status (*setup)(void *self);

  /* The store is migrated and the configuration was checked. May read the configuration, read and
   * write the store, warm caches, start threads of its own. Handlers run once it has returned GANTRY_OK.
   * [main] */
  gantry_status (*start)(void *self);

  /* No handler runs and none will. Ends every thread that the plugin started. [main] */
  void (*stop)(void *self);

  /* Frees the instance. [main] */
  void (*destroy)(void *self);

  /* GANTRY_OK, or why the plugin can't do its work (with an error text). Must return at once. May be
   * NULL. [any] */
  gantry_status (*health)(void *self);

  /* The table of a capability that the plugin offers, e.g. "gantry.handover/1", or NULL. May itself
   * be NULL. [main] */
  const void *(*capability)(void *self, const char *id);
} gantry_instance;

#ifdef __cplusplus
}
#endif
#endif
