/* Gantry plugin ABI: "gantry.call/1", requests from plugin to plugin. */
#ifndef GANTRY_ABI_CALL_H
#define GANTRY_ABI_CALL_H

#include "gantry/abi/host.h"
#include "gantry/abi/threads.h"
#include "gantry/abi/types.h"

#ifdef __cplusplus
extern "C" {
#endif

#define GANTRY_CALL_1 "gantry.call/1"

typedef struct gantry_call {
  uint32_t struct_size;
  uint32_t reserved;
  gantry_str plugin;
  gantry_str method;
  gantry_str target; /* path and query, percent-encoded */
  const gantry_field *headers;
  size_t header_count;
  gantry_str body;
  uint64_t timeout_us; /* 0: what is left of the caller's own deadline, at most 30 s */
} gantry_call;

/* Filled by the host; everything in it is valid until release(owner). */
typedef struct gantry_call_reply {
  uint32_t struct_size;
  int32_t status; /* HTTP status */
  const gantry_field *headers;
  size_t header_count;
  gantry_str body;
  void *owner;
} gantry_call_reply;

typedef struct gantry_call_1 {
  uint32_t struct_size;

  /* Declares that this plugin calls that one. Only inside setup. [main] */
  gantry_status (*calls)(const gantry_host *host, gantry_str plugin);

  /* Calls and waits. GANTRY_OK: there is a reply, whatever its HTTP status; *out must be released.
   * REFUSED: not declared, or inside a transaction. UNAVAILABLE: no such plugin, not ready, or its
   * breaker is open. TIMEOUT: the deadline has passed. [pool] */
  gantry_status (*call)(gantry_context *context, const gantry_call *request, gantry_call_reply *out);

  /* The same without waiting: `done(user, status, reply)` runs exactly once, on a request worker; the reply is
   * the host's and valid for that call. A return other than GANTRY_OK means that done will not run. [any] */
  gantry_status (*call_async)(const gantry_host *host, const gantry_call *request,
                              void (*done)(void *user, gantry_status status, const gantry_call_reply *reply),
                              void *user);

  /* Frees a reply. Accepts one that was zeroed. [any] */
  void (*release)(gantry_call_reply *reply);
} gantry_call_1;

#ifdef __cplusplus
}
#endif
#endif
