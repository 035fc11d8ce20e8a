// A plugin's private SQL database as the runtime sees it. Drivers: sqlite/, postgres/.
//
// Statements take the ABI's values as they are, so nothing is converted on the way from plugin to driver.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "gantry/abi/store.h"
#include "gantry/abi/types.h"

namespace gantry::store {

enum class durability {
  power,    // a commit survives the loss of power
  process,  // a commit survives the death of the process
};

// Rows of one query. Owned by the session that made it; close() gives it back.
class cursor {
 public:
  virtual ~cursor() = default;
  // GANTRY_OK: there is a row; GANTRY_DONE: no more; else a failure, text in session::error().
  virtual gantry_status next() = 0;
  virtual std::size_t columns() const = 0;
  // Text and blobs stay valid until next() or close(). GANTRY_INVALID: no such column.
  virtual gantry_status column(std::size_t index, gantry_value& out) = 0;
  virtual void close() = 0;
};

// One connection. Thread: one at a time.
class session {
 public:
  session() = default;
  session(const session&) = delete;
  session& operator=(const session&) = delete;
  virtual ~session() = default;

  // As gantry_store_1 describes them. Statements are compiled once and cached by their text.
  virtual gantry_status exec(std::string_view sql, std::span<const gantry_value> params, std::int64_t* changes) = 0;
  virtual gantry_status exec_many(std::string_view sql, std::span<const gantry_value> params, std::size_t param_count,
                                  std::size_t row_count, std::int64_t* changes) = 0;
  virtual gantry_status defer(std::string_view sql, std::span<const gantry_value> params) = 0;
  virtual gantry_status query(std::string_view sql, std::span<const gantry_value> params, cursor** out) = 0;

  // A driver may take the outcome of a statement for granted, as long as commit() says RETRY when it was another one. This waits
  // until nothing is taken for granted any more: OK, or what has ended the transaction. To be asked before anybody is blamed.
  virtual gantry_status confirm() { return GANTRY_OK; }

  // Runs several statements separated by semicolons, without parameters. For migrations.
  virtual gantry_status script(std::string_view sql) = 0;

  // A write transaction (SQLite: BEGIN IMMEDIATE). GANTRY_OK or a failure.
  virtual gantry_status begin() = 0;
  // The same for rows of the runtime's own that no decision hangs on (leases, positions taken over, acknowledged events): where
  // the driver has it, each statement sees what was committed before it, waits for others' changes of the same rows, and
  // neither fails nor makes others fail for what it has read.
  virtual gantry_status begin_relaxed() { return begin(); }
  // GANTRY_OK: durable as configured. RETRY: nothing was committed, a rerun may succeed. UNAVAILABLE: nothing was
  // committed and the store can't take writes now (full disk). FAILED: the store must not be written any more
  // (a failed fsync); what was committed is unknown.
  virtual gantry_status commit() = 0;
  virtual void rollback() noexcept = 0;

  // Like commit(), but may return before the commit is durable: `mark` then tells it, and grows from one to the next. It is
  // seen by everybody; nothing that followed from it may be told to the outside before durable() has reached the mark.
  // mark 0: it is durable already.
  virtual gantry_status commit_early(std::uint64_t& mark) {
    mark = 0;
    return commit();
  }
  // The mark up to which commits are durable. FAILED: a sync has failed, what was committed behind it is unknown.
  virtual gantry_status durable(std::uint64_t& mark) {
    mark = 0;
    return GANTRY_OK;
  }
  // Makes all commits durable; waits for it. FAILED as above.
  virtual gantry_status sync() { return GANTRY_OK; }
  // Begins the same on another thread, or does it on this one when there is no other; `done` is called there when it has
  // ended, well or not.
  virtual void sync_later(std::function<void()> done) { done(); }

  // Savepoints nest. rollback_to undoes and keeps the savepoint open; release ends it.
  virtual gantry_status savepoint() = 0;
  virtual gantry_status rollback_to() = 0;
  virtual gantry_status release() = 0;

  // A read-only view of the last commit, held until end_read().
  virtual gantry_status begin_read() = 0;
  virtual void end_read() noexcept = 0;

  // False when its connection is gone for good, so that it is not worth keeping.
  virtual bool usable() noexcept { return true; }

  // Of its present connection, or the last one; no other of this process has the number.
  virtual std::uint64_t connection_number() const noexcept = 0;

  // The text of the last failure.
  virtual std::string_view error_text() const noexcept = 0;
};

struct migration {
  std::uint32_t number = 0;
  std::string name;
  std::string driver;  // empty: every driver
  std::string sql;
  std::string sha256;
};

// A step whose name begins with "contract" takes away what the version before still uses; all others only add (expand), so
// that the version before goes on working beside them.
bool is_contract(const migration& step) noexcept;

struct migration_rules {
  bool contract = true;  // else the first contract step that is due ends the run: it and what follows it wait
  bool ahead = false;    // a schema newer than the plugin is accepted: a generation that a swap went back to, or on from
};

struct migration_report {
  std::uint32_t from = 0;  // the schema before
  std::uint32_t to = 0;    // and after
};

// Owned by the plugin's instance. Outlives its sessions. Thread: any.
class store {
 public:
  store() = default;
  store(const store&) = delete;
  store& operator=(const store&) = delete;
  virtual ~store() = default;

  virtual std::string_view driver() const = 0;
  virtual durability promise() const = 0;
  virtual std::string describe() const = 0;  // for people, without secrets: "sqlite data/order.db"

  // Whether other hosts may have it open, and write it, at the same time.
  virtual bool shared() const { return false; }
  // A text that has changed when commits may have been lost meanwhile: another server's data, a failover, with durability
  // `process` a reboot. Empty: not known.
  virtual std::string life() { return {}; }

  // The single session that writes. One may be open at a time.
  virtual result<std::unique_ptr<session>> open_writer() = 0;

  // A session for snapshot reads from the pool; give it back by destroying the handle.
  virtual result<std::unique_ptr<session>> acquire_reader() = 0;

  // The same, of a state that may be some seconds old, where the store has it from elsewhere at less cost.
  virtual result<std::unique_ptr<session>> acquire_lagging_reader() { return acquire_reader(); }

  // Brings the schema up to date, each migration in a transaction of its own with the row that records it in
  // gantry_migrations. invalid: a gap in the numbers, a checksum that differs from the recorded one, or a schema newer
  // than the plugin (the text names both) where the rules don't allow that.
  virtual result<migration_report> migrate(std::span<const migration> steps, const migration_rules& rules) = 0;
  result<migration_report> migrate(std::span<const migration> steps) { return migrate(steps, migration_rules{}); }

  virtual std::uint64_t size_bytes() const = 0;
};

}  // namespace gantry::store
