/* Gantry plugin ABI: "gantry.bus/1", events. */
#ifndef GANTRY_ABI_BUS_H
#define GANTRY_ABI_BUS_H

#include "gantry/abi/host.h"
#include "gantry/abi/threads.h"
#include "gantry/abi/types.h"

#ifdef __cplusplus
extern "C" {
#endif

#define GANTRY_BUS_1 "gantry.bus/1"

enum {
  GANTRY_EVENT_REPLAYED = 1 /* handled again by `gantry replay`; emits and jobs are suppressed */
};

/* An event as it was read from the bus. Owned by the host, valid for the call. */
typedef struct gantry_event {
  uint32_t struct_size;
  uint32_t flags;
  gantry_str topic;
  uint32_t partition;
  uint32_t version; /* schema version of this type, from 1 */
  uint64_t offset;
  uint64_t sequence;         /* within source; 0: from a foreign producer */
  int64_t occurred_at_us;    /* since 1970-01-01T00:00:00Z */
  gantry_str id;             /* UUIDv7 as 36 characters */
  gantry_str type;           /* e.g. "OrderConfirmed" */
  gantry_str key;            /* the aggregate id, which is the partition key */
  gantry_str source;
  gantry_str correlation_id;
  gantry_str causation_id;   /* the event or request that caused this one */
  gantry_str traceparent;
  gantry_str body;           /* the whole JSON document as a foreign producer wrote it; else empty */
  gantry_str data;           /* the JSON value that is the event's data; the member "data" of a foreign one */
} gantry_event;

/* Handles one event inside a transaction. All it reads and writes through tx, all it emits and schedules
 * commits, or none does. May run again after a rollback. GANTRY_OK; RETRY: 3 more attempts, then parked;
 * REJECT: parked at once. [lane] */
typedef gantry_status (*gantry_event_handler)(void *user, const gantry_event *event, gantry_tx *tx);

/* Handles the events of a batch at once, in order of each partition. On failure sets *failed to the index of
 * the event that is to blame, if it knows; the runtime then treats that one alone. [lane] */
typedef gantry_status (*gantry_batch_handler)(void *user, const gantry_event *events, size_t count,
                                              gantry_tx *tx, size_t *failed);

/* Sees each event at most once, without a transaction or a position. event == NULL: events may have been
 * missed, drop what was derived from them. Must return at once. [any] */
typedef void (*gantry_observer)(void *user, const gantry_event *event);

/* Clears what was derived from a topic, before the topic is replayed. [lane] */
typedef gantry_status (*gantry_replay_handler)(void *user, gantry_tx *tx);

enum { GANTRY_START_EARLIEST = 0, GANTRY_START_LATEST = 1 };

/* Exactly one of on_event, on_batch and observe is set. */
typedef struct gantry_subscription {
  uint32_t struct_size;
  uint32_t start; /* where to begin when there is no position yet */
  gantry_str topic;
  gantry_str type;
  uint32_t min_version; /* schema versions that the handler reads, inclusive */
  uint32_t max_version;
  gantry_event_handler on_event;
  gantry_batch_handler on_batch;
  gantry_observer observe;
  void *user;
} gantry_subscription;

/* Declares an event type that the plugin emits. */
typedef struct gantry_emission {
  uint32_t struct_size;
  uint32_t version;
  gantry_str topic;
  gantry_str type;
  gantry_str schema; /* JSON Schema of data, or empty */
} gantry_emission;

typedef struct gantry_emit {
  uint32_t struct_size;
  uint32_t reserved;
  gantry_str topic;
  gantry_str type;
  gantry_str key;  /* the aggregate id: 1 to 255 bytes */
  gantry_str data; /* a JSON value */
} gantry_emit;

typedef struct gantry_bus_1 {
  uint32_t struct_size;

  /* Declares a handler; one per (topic, type), observers apart. Only inside setup. [main] */
  gantry_status (*subscribe)(const gantry_host *host, const gantry_subscription *subscription);

  /* Declares an event type that the plugin emits. Only inside setup. [main] */
  gantry_status (*emits)(const gantry_host *host, const gantry_emission *emission);

  /* Declares how a topic's projection is cleared; without it the topic can't be replayed. Only inside setup.
   * [main] */
  gantry_status (*on_replay)(const gantry_host *host, gantry_str topic, gantry_replay_handler fn,
                             void *user);

  /* Adds an event to the outbox of this transaction. Everything is copied. If id is not NULL it receives the
   * event's id. REFUSED: not declared. TOO_LARGE: beyond the topic's max_message. INVALID: empty or
   * overlong key, or data that is not JSON. [lane] */
  gantry_status (*emit)(gantry_tx *tx, const gantry_emit *event, char id[36]);
} gantry_bus_1;

#ifdef __cplusplus
}
#endif
#endif
