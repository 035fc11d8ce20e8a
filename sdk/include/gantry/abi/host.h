/* Gantry plugin ABI: the host as a plugin sees it. */
#ifndef GANTRY_ABI_HOST_H
#define GANTRY_ABI_HOST_H

#include "gantry/abi/threads.h"
#include "gantry/abi/types.h"

#ifdef __cplusplus
extern "C" {
#endif

/* One per plugin instance. Owned by the host; valid from create() until destroy() returns. */
typedef struct gantry_host gantry_host;
struct gantry_host {
  uint32_t struct_size;

  /* The table of a capability, e.g. "gantry.store/1"; NULL when this host has no such capability.
   * The table is constant and lives as long as the host. [any] */
  const void *(*capability)(const gantry_host *host, const char *id);

  /* Sets the error text of this thread and returns `code`, so that a function can end with
   * `return host->fail(host, GANTRY_INVALID, text)`. The text is copied. The next failing call on
   * the thread replaces it. [any] */
  gantry_status (*fail)(const gantry_host *host, gantry_status code, gantry_str text);

  /* The text of the last failure on this thread, the host's own or one set by fail(). Borrowed until
   * the next call of this host on this thread. [any] */
  gantry_str (*error)(const gantry_host *host);

  /* Microseconds since 1970-01-01T00:00:00Z by the host's clock, which tests may set. [any] */
  int64_t (*now_us)(const gantry_host *host);

  /* Writes a UUIDv7 (RFC 9562) as 36 characters, without a terminating zero. Ids made by one host
   * grow. [any] */
  void (*new_id)(const gantry_host *host, char out[36]);
};

#ifdef __cplusplus
}
#endif
#endif
