/* Gantry plugin ABI: "gantry.http/1", routes and their handlers. */
#ifndef GANTRY_ABI_HTTP_H
#define GANTRY_ABI_HTTP_H

#include "gantry/abi/host.h"
#include "gantry/abi/threads.h"
#include "gantry/abi/types.h"

#ifdef __cplusplus
extern "C" {
#endif

#define GANTRY_HTTP_1 "gantry.http/1"

/* A request as it reached the host, over HTTP or by a call of another plugin. Owned by the host; all
 * of it stays valid until the reply was sent, so a write function may refer to it. */
typedef struct gantry_request {
  uint32_t struct_size;
  uint32_t reserved;
  gantry_str method; /* upper case */
  gantry_str path;   /* without the query, percent-decoded once */
  gantry_str body;
  const gantry_field *params; /* the placeholders of the route's pattern, percent-decoded */
  size_t param_count;
  const gantry_field *query; /* percent-decoded, in order; names may repeat */
  size_t query_count;
  const gantry_field *headers; /* names in lower case */
  size_t header_count;
  gantry_str correlation_id;
  gantry_str traceparent; /* W3C Trace Context, the span of this request */
  gantry_str caller;      /* the plugin that calls, or empty for a request from outside */
  int64_t deadline_us;    /* as host->now_us counts */
} gantry_request;

/* Answers the request by respond() or by write(), then returns GANTRY_OK. Any other status answers
 * with the matching problem document (RFC 9457) and the error text: RETRY and UNAVAILABLE 503,
 * NOT_FOUND 404, INVALID 400, CONFLICT 409, REJECT 422, REFUSED 403, TIMEOUT 504, TOO_LARGE 413, else
 * 500. [pool] */
typedef gantry_status (*gantry_request_handler)(void *user, const gantry_request *request,
                                                gantry_context *context);

/* Runs inside the transaction of a request. May run more than once, each time on a fresh transaction:
 * it must not consume what it captured. Answers by respond_in(). Any status but GANTRY_OK rolls back
 * what this function did, and nothing of others that share the commit; a reply of 400 or more that was
 * set is then sent all the same, else the problem document of the status. [lane] */
typedef gantry_status (*gantry_write_handler)(void *user, gantry_tx *tx);

enum {
  /* The route needs an Idempotency-Key: missing 400; the same key with another body 422; the first still
   * running 409; done: the stored reply again. Such a route must answer by write(). */
  GANTRY_ROUTE_IDEMPOTENT = 1,
  /* What its handler reads by snapshot() may lag some seconds behind the last commit, also behind one that the same
   * client has just made: where the store has read replicas, it comes from one of them. For lists and searches, not for
   * what decides anything. A host that does not know the flag reads the last commit. */
  GANTRY_ROUTE_MAY_LAG = 2
};

typedef struct gantry_route {
  uint32_t struct_size;
  uint32_t flags;
  gantry_str method;
  gantry_str pattern; /* "/orders/{id}/history": literal segments and {name} placeholders */
  gantry_request_handler handler;
  void *user; /* passed to the handler; must outlive the instance */
} gantry_route;

typedef struct gantry_http_1 {
  uint32_t struct_size;

  /* Declares a route. Only inside setup. INVALID: bad pattern, or declared twice. [main] */
  gantry_status (*route)(const gantry_host *host, const gantry_route *route);

  /* Sets the reply. Everything is copied. content-length and date are the host's. INVALID: status
   * outside 100..599 or a header that HTTP does not allow. [pool] */
  gantry_status (*respond)(gantry_context *context, int32_t status, const gantry_field *headers,
                           size_t header_count, gantry_str body);

  /* The same from inside a write function; a later run replaces what an earlier one set. [lane] */
  gantry_status (*respond_in)(gantry_tx *tx, int32_t status, const gantry_field *headers,
                              size_t header_count, gantry_str body);

  /* Answers the request by a transaction: `fn(user, tx)` runs in the write lane of the plugin's store
   * after the handler has returned, together with other writes that wait; the reply goes out after
   * the commit is durable. `drop(user)`, if not NULL, runs exactly once when fn will not run again, on
   * any thread. UNAVAILABLE: the queue of writes is full; drop has then run. [pool] */
  gantry_status (*write)(gantry_context *context, gantry_write_handler fn, void *user,
                         void (*drop)(void *user));
} gantry_http_1;

#ifdef __cplusplus
}
#endif
#endif
