/* Gantry plugin ABI: "gantry.jobs/1", durable work outside transactions, and timers. */
#ifndef GANTRY_ABI_JOBS_H
#define GANTRY_ABI_JOBS_H

#include "gantry/abi/host.h"
#include "gantry/abi/store.h"
#include "gantry/abi/threads.h"
#include "gantry/abi/types.h"

#ifdef __cplusplus
extern "C" {
#endif

#define GANTRY_JOBS_1 "gantry.jobs/1"

/* Owned by the host, valid for the call. */
typedef struct gantry_job {
  uint32_t struct_size;
  uint32_t attempt; /* from 1 */
  gantry_str id;    /* the same for every attempt: use it as idempotency key of the outside world */
  gantry_str kind;
  gantry_str key; /* chosen by schedule; may be empty */
  gantry_str payload;
  int64_t due_us;
  int64_t deadline_us; /* as host->now_us counts */
  gantry_str correlation_id;
} gantry_job;

/* Does the work. May run more than once for one job (after a crash or a lost lease). A result may be set with
 * set_result. GANTRY_OK; RETRY, UNAVAILABLE, TIMEOUT, FAILED: again, with backoff, up to max_attempts;
 * REJECT: no further attempt. [pool] */
typedef gantry_status (*gantry_job_runner)(void *user, const gantry_job *job, gantry_context *context);

/* Takes the result in a transaction, exactly once in effect. [lane] */
typedef gantry_status (*gantry_job_done)(void *user, const gantry_job *job, gantry_str result,
                                         gantry_tx *tx);

/* Told in the transaction that parks the job: no attempt is left. [lane] */
typedef gantry_status (*gantry_job_failed)(void *user, const gantry_job *job, gantry_str error,
                                           gantry_tx *tx);

typedef struct gantry_job_kind {
  uint32_t struct_size;
  uint32_t max_attempts; /* 0: 4 */
  gantry_str name;
  uint64_t timeout_us;  /* of one attempt; 0: 30 s */
  uint32_t concurrency; /* of one host; 0: 8 */
  uint32_t reserved;
  gantry_job_runner run;
  gantry_job_done on_done;     /* may be NULL */
  gantry_job_failed on_failed; /* may be NULL */
  void *user;
} gantry_job_kind;

enum {
  /* No job of this kind and key waits, as the caller knows: it has just inserted the row that the key names, say. None
   * is looked for, which spares a read; if one waits all the same, both run. A host that does not know the flag looks. */
  GANTRY_SCHEDULE_NEW_KEY = 1
};

typedef struct gantry_schedule {
  uint32_t struct_size;
  union {
    uint32_t flags;
    uint32_t reserved; /* its name before there were flags */
  };
  gantry_str kind;
  gantry_str key;     /* not empty: a job of this kind and key that has not begun is replaced */
  gantry_str payload;
  int64_t at_us; /* not before; 0: now */
} gantry_schedule;

/* A timer fires in the write lane. It is kept in memory only, because it follows from rows that the
 * plugin owns: restore() arms again what those rows ask for, before any event is handled. */
typedef gantry_status (*gantry_timer_fire)(void *user, gantry_str key, gantry_tx *tx);

typedef struct gantry_timer_kind {
  uint32_t struct_size;
  uint32_t reserved;
  gantry_str name;
  gantry_timer_fire fire; /* [lane] */
  /* Calls rearm() for every timer that should run. May be NULL. Runs once between start and the first
   * handler. [main] */
  gantry_status (*restore)(void *user, gantry_db *snapshot);
  void *user;
} gantry_timer_kind;

enum {
  /* The delay counts from the moment when the bus has acknowledged every event that this transaction emits. */
  GANTRY_TIMER_AFTER_ACK = 1
};

typedef struct gantry_jobs_1 {
  uint32_t struct_size;

  /* Declares a kind of job. Only inside setup. [main] */
  gantry_status (*kind)(const gantry_host *host, const gantry_job_kind *kind);

  /* Declares a kind of timer. Only inside setup. [main] */
  gantry_status (*timer)(const gantry_host *host, const gantry_timer_kind *kind);

  /* Adds a job to this transaction. Everything is copied. REFUSED: kind not declared. [lane] */
  gantry_status (*schedule)(gantry_tx *tx, const gantry_schedule *job);

  /* Removes a job that has not begun; NOT_FOUND if there is none. [lane] */
  gantry_status (*cancel)(gantry_tx *tx, gantry_str kind, gantry_str key);

  /* Arms a timer when this transaction commits; one of the same kind and key is replaced. [lane] */
  gantry_status (*arm)(gantry_tx *tx, gantry_str kind, gantry_str key, uint64_t delay_us, uint32_t flags);

  /* Disarms when this transaction commits. A timer that has fired already is no error. [lane] */
  gantry_status (*disarm)(gantry_tx *tx, gantry_str kind, gantry_str key);

  /* Arms a timer from within restore. The delay counts from when the plugin has handled all that was on its
   * topics at the start. [main] */
  gantry_status (*rearm)(const gantry_host *host, gantry_str kind, gantry_str key, uint64_t delay_us);

  /* Sets the result that on_done receives; copied. [pool] */
  gantry_status (*set_result)(gantry_context *context, gantry_str result);
} gantry_jobs_1;

#ifdef __cplusplus
}
#endif
#endif
