/* Gantry plugin ABI: the types that every capability shares.
 *
 * Plain C11. No C++ type, exception, allocator, FILE* or errno crosses the boundary. Each side frees
 * what it allocated. Every struct starts with struct_size, set by whoever fills it; fields beyond
 * the struct_size that a reader finds are absent and read as zero.
 */
#ifndef GANTRY_ABI_TYPES_H
#define GANTRY_ABI_TYPES_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Bytes with a length; not zero-terminated. Text is UTF-8. Borrowed for the duration of the call
 * that passes it, unless the function says otherwise. {NULL, 0} is the empty string. */
typedef struct gantry_str {
  const char *ptr;
  size_t len;
} gantry_str;

/* What a function or a handler answers. A value that is not listed here counts as GANTRY_FAILED and
 * is reported with the plugin's name. */
typedef int32_t gantry_status;
enum {
  GANTRY_OK = 0,
  GANTRY_RETRY = 1,       /* transient: the same thing may succeed later */
  GANTRY_REJECT = 2,      /* will never succeed; the event is parked, the request refused */
  GANTRY_NOT_FOUND = 3,
  GANTRY_INVALID = 4,     /* an argument breaks its contract */
  GANTRY_CONFLICT = 5,    /* a constraint of the store was violated */
  GANTRY_REFUSED = 6,     /* not allowed here: undeclared, or the wrong thread */
  GANTRY_UNAVAILABLE = 7, /* the other side is not there; nothing was done */
  GANTRY_TIMEOUT = 8,     /* the deadline has passed; something may have been done */
  GANTRY_TOO_LARGE = 9,
  GANTRY_FAILED = 10,     /* an error inside the callee */
  GANTRY_UNSUPPORTED = 11,
  GANTRY_DONE = 12        /* a cursor has no further row */
};

/* A name and a value: an HTTP header, a query or path parameter, a log field, a metric label. */
typedef struct gantry_field {
  gantry_str name;
  gantry_str value;
} gantry_field;

/* Opaque, owned by the host. */
typedef struct gantry_tx gantry_tx;         /* a transaction that is open; valid inside one handler */
typedef struct gantry_context gantry_context; /* a request or job in progress, outside any transaction */

#ifdef __cplusplus
}
#endif
#endif
