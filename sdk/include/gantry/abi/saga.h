/* Gantry plugin ABI: "gantry.saga/1", long-running processes that operators can look into. */
#ifndef GANTRY_ABI_SAGA_H
#define GANTRY_ABI_SAGA_H

#include "gantry/abi/host.h"
#include "gantry/abi/store.h"
#include "gantry/abi/threads.h"
#include "gantry/abi/types.h"

#ifdef __cplusplus
extern "C" {
#endif

#define GANTRY_SAGA_1 "gantry.saga/1"

/* Receives the description of one instance as a JSON object; copied. */
typedef void (*gantry_saga_sink)(void *sink, gantry_str json);

typedef struct gantry_saga {
  uint32_t struct_size;
  uint32_t reserved;
  gantry_str name;
  /* Describes the instance of this key: {"saga","key","state","step","deadline","history":[...]}.
   * NOT_FOUND: no such instance. [pool] */
  gantry_status (*describe)(void *user, gantry_db *snapshot, gantry_str key, gantry_saga_sink write,
                            void *sink);
  void *user;
} gantry_saga;

typedef struct gantry_saga_1 {
  uint32_t struct_size;

  /* Declares a saga; operators then see it at /admin/sagas/{key}. Only inside setup. [main] */
  gantry_status (*declare)(const gantry_host *host, const gantry_saga *saga);
} gantry_saga_1;

#ifdef __cplusplus
}
#endif
#endif
