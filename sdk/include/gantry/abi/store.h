/* Gantry plugin ABI: "gantry.store/1", the plugin's own SQL database.
 *
 * The SQL that works on every driver is listed in sdk/docs/sql.md. Parameters are $1, $2, ...
 */
#ifndef GANTRY_ABI_STORE_H
#define GANTRY_ABI_STORE_H

#include "gantry/abi/host.h"
#include "gantry/abi/http.h"
#include "gantry/abi/threads.h"
#include "gantry/abi/types.h"

#ifdef __cplusplus
extern "C" {
#endif

#define GANTRY_STORE_1 "gantry.store/1"

/* What statements run on: a transaction, or a snapshot. Owned by the host. */
typedef struct gantry_db gantry_db;

/* Rows of a query, one at a time. At most 16 cursors are open in one handler. */
typedef struct gantry_cursor gantry_cursor;

enum {
  GANTRY_NULL = 0,
  GANTRY_INT = 1,        /* i */
  GANTRY_REAL = 2,       /* r */
  GANTRY_TEXT = 3,       /* s */
  GANTRY_BLOB = 4,       /* s */
  GANTRY_INT_ARRAY = 5,  /* ints[count]; parameters only */
  GANTRY_TEXT_ARRAY = 6  /* texts[count]; parameters only */
};

/* A parameter or a column. An array parameter stands where SQL says gantry_array($n), a table with
 * one column `value`. */
typedef struct gantry_value {
  int32_t type;
  uint32_t count; /* of an array */
  union {
    int64_t i;
    double r;
    gantry_str s;
    const int64_t *ints;
    const gantry_str *texts;
  } as;
} gantry_value;

/* One step of the schema. Numbers grow from 1 without gaps. */
typedef struct gantry_migration {
  uint32_t struct_size;
  uint32_t number;
  gantry_str name;
  gantry_str driver; /* empty: every driver; else "sqlite" or "postgres" */
  gantry_str sql;
  gantry_str sha256; /* of sql, 64 hexadecimal digits */
} gantry_migration;

typedef struct gantry_store_1 {
  uint32_t struct_size;

  /* Declares a migration; the text must live as long as the instance. Only inside setup. [main] */
  gantry_status (*migration)(const gantry_host *host, const gantry_migration *migration);

  /* The database of a transaction. Never NULL. [lane] */
  gantry_db *(*of)(gantry_tx *tx);

  /* A snapshot of the last commit, the same one for the rest of this request or job. UNAVAILABLE: the
   * store can't be read now. [pool] */
  gantry_status (*snapshot)(gantry_context *context, gantry_db **out);

  /* Runs a statement that returns no rows. *changes (may be NULL) is the number of rows changed. The
   * text is compiled once per connection and cached. CONFLICT: a constraint; the transaction stays usable.
   * INVALID: the SQL or the number of parameters is wrong. RETRY: the driver asks for a rerun of the
   * transaction: return that status from the handler. REFUSED: a change on a snapshot. [lane, pool] */
  gantry_status (*exec)(gantry_db *db, gantry_str sql, const gantry_value *params, size_t param_count,
                        int64_t *changes);

  /* The same statement for `row_count` rows of `param_count` parameters each, row-major: one round trip
   * where the driver can. *changes is the total. Stops at the first failure; nothing of the rows is then
   * done. [lane] */
  gantry_status (*exec_many)(gantry_db *db, gantry_str sql, const gantry_value *params, size_t param_count,
                             size_t row_count, int64_t *changes);

  /* Like exec, but the driver may put it off until the end of the batch, or until a later statement
   * needs its effect. A failure then counts as a failure of this handler. [lane] */
  gantry_status (*defer)(gantry_db *db, gantry_str sql, const gantry_value *params, size_t param_count);

  /* Starts a query; also for statements with RETURNING. On GANTRY_OK *out must be closed. [lane, pool] */
  gantry_status (*query)(gantry_db *db, gantry_str sql, const gantry_value *params, size_t param_count,
                         gantry_cursor **out);

  /* Moves to the next row: GANTRY_OK, GANTRY_DONE, or a failure as of exec. [lane, pool] */
  gantry_status (*next)(gantry_cursor *cursor);

  /* The number of columns. [lane, pool] */
  size_t (*columns)(gantry_cursor *cursor);

  /* Reads column `index` (from 0) of this row; text and blobs are borrowed until next or close.
   * INVALID: no such column, or no row. [lane, pool] */
  gantry_status (*column)(gantry_cursor *cursor, size_t index, gantry_value *out);

  /* Ends the query. Accepts NULL. [lane, pool] */
  void (*close)(gantry_cursor *cursor);

  /* Runs `fn(user, tx)` in the write lane and waits until its commit is durable. fn may run more than
   * once. Returns what fn returned, or why nothing was committed. REFUSED inside a transaction.
   * [main: only inside start; pool] */
  gantry_status (*write)(const gantry_host *host, gantry_write_handler fn, void *user);

  /* The same without waiting: `done(user, status)` runs exactly once, on any thread, after the commit
   * or when there will be none; it must not block. [any] */
  gantry_status (*write_async)(const gantry_host *host, gantry_write_handler fn, void *user,
                               void (*done)(void *user, gantry_status status));

  /* "sqlite" or "postgres". [any] */
  gantry_str (*driver)(const gantry_host *host);

  /* A number of the connection that `db` is on; another connection has another one. What the database said outside of
   * committed rows, such as numbers of a sequence, holds only on the same connection: with a server that died it may
   * be gone, and is given again. Since 1.2. [lane, pool] */
  uint64_t (*connection)(gantry_db *db);
} gantry_store_1;

#ifdef __cplusplus
}
#endif
#endif
