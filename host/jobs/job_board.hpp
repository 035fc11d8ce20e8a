// Durable work outside transactions. A job is a row of the plugin's store, written in the transaction that asks for it;
// a worker runs it, and a second transaction takes its result and deletes the row.
//
// A job that is due at once is written as claimed by this process and goes to a worker from memory right after the
// commit; later ones, and what the memory has no room for, are claimed from the table when they are due. A claim
// carries a token: who lost it can't take a result any more. Where several hosts share the store a claim holds as long
// as its host renews its lease (runtime/presence.hpp); after that the others take it over. Retries back off with full
// jitter; a kind that keeps failing is left alone for a while (breaker).
//
// Owned by an instance. Thread: see each function.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.hpp"
#include "base/result.hpp"
#include "call/breaker.hpp"
#include "runtime/current_instance.hpp"
#include "runtime/deadly.hpp"
#include "runtime/request_pool.hpp"
#include "runtime/transaction.hpp"
#include "store/store.hpp"

namespace gantry::runtime {
class instance;

//   state     0 waits until due, 1 claimed, 2 parked
//   token     of the process that has claimed it
inline constexpr std::string_view job_schema =
    "CREATE TABLE IF NOT EXISTS gantry_job (id TEXT PRIMARY KEY, kind TEXT NOT NULL, key TEXT NOT NULL,"
    " payload TEXT NOT NULL, due BIGINT NOT NULL, attempt BIGINT NOT NULL, state BIGINT NOT NULL,"
    " token TEXT NOT NULL, correlation TEXT NOT NULL, error TEXT NOT NULL){by key};"
    "CREATE INDEX IF NOT EXISTS gantry_job_due ON gantry_job (due) WHERE state = 0;"
    "CREATE INDEX IF NOT EXISTS gantry_job_key ON gantry_job (kind, key) WHERE key <> '';";

class job_board {
 public:
  job_board(instance& owner, request_pool& workers, const clock& time, std::size_t ready_max = 8192);
  ~job_board();
  job_board(const job_board&) = delete;
  job_board& operator=(const job_board&) = delete;

  // Gives back what an earlier process had claimed; in a store that hosts share, all that no living host has. False:
  // some of it is in a transaction that has not ended yet; the others wait for none. [main or lane]
  result<bool> recover(store::session& session, bool shared = false);
  // Notes when the next job is due that another host may have written. [lane]
  void look(store::session& session);
  // What this process puts on the jobs that it claims.
  const std::string& token() const noexcept { return token_; }

  // Writes a job in this transaction, in the place of one of that key that has not begun; with `new_key` there is none.
  // INVALID: a key of more than 255 bytes. [lane]
  gantry_status schedule(gantry_tx& tx, std::uint32_t kind, std::string_view key, std::string_view payload,
                         std::int64_t at_us, bool new_key = false);
  // Deletes a job that has not begun; NOT_FOUND when there is none. A job that begins while this transaction is open
  // may still run; its result is not taken then. [lane]
  gantry_status cancel(gantry_tx& tx, std::string_view kind, std::string_view key);

  // Takes jobs whose transaction has committed, and forgets those that it dropped before they had begun. [lane]
  void start(std::vector<ready_job>&& jobs, const std::vector<std::string>& dropped);

  // A row is or will be due at this wall time: it is looked for then. [any]
  void noted_due(std::int64_t due_us);

  // Asks the lane to claim what is due. [any]
  void tick();

  // The next generation of the plugin runs what begins from here on. Its first kinds are the present ones, in their
  // order; it may have fewer when it is the one before: jobs of the others wait in the table then. [main]
  void become(instance& next);

  // While it is held no job begins; what is ready waits. Those that run go on. [main]
  void hold(bool held);

  // Starts nothing any more; returns when no job runs. [main]
  void stop();

  std::size_t running() const;  // and ready to [any]
  // Workers that are in a job now. [any]
  std::size_t active() const;

 private:
  friend class claim_write;
  friend class job_end;
  struct kind_state {
    std::deque<ready_job> ready;
    std::uint32_t running = 0;
    call::breaker breaker;
  };
  class run_work;

  void pump(std::uint32_t kind);
  void run(ready_job&& job);
  static const deadly_work* deadly(const instance& who, std::string_view kind, std::string_view id);
  void run_by(instance& who, ready_job&& job);
  // Of a job that ends without having been run.
  void refuse(ready_job&& job, gantry_status status, std::string error);
  // `wait` is until the next attempt. [any]
  void ended(ready_job&& job, gantry_status status, std::string result, std::string error, bool postponed = false);
  void again(ready_job&& job, gantry_status status, std::string result, std::string error, std::int64_t wait_until_us,
             bool postponed);
  // Deletes the rows of a key whose jobs have not begun. [lane]
  gantry_status drop(gantry_tx& tx, std::string_view kind, std::string_view key, std::size_t& count);
  bool waits(const gantry_tx& tx, std::string_view id) const;
  std::size_t backlog() const;
  // When the first of the jobs is due that wait; INT64_MAX: none does. False: the store did not answer.
  bool least_due(store::session& session, std::int64_t& due_us) const;

  current_instance owner_;  // changes under mutex_
  request_pool& workers_;
  const clock& clock_;
  const std::size_t ready_max_;
  const std::string token_;
  mutable std::mutex mutex_;
  std::condition_variable stopped_;
  std::vector<kind_state> kinds_;                       // guarded by mutex_
  std::size_t ready_ = 0;                               // guarded by mutex_
  std::size_t running_ = 0;                             // guarded by mutex_
  bool stopping_ = false;                               // guarded by mutex_
  bool held_ = false;                                   // guarded by mutex_
  std::uint64_t random_state_ = 0x9E3779B97F4A7C15ULL;  // guarded by mutex_
  std::atomic<std::int64_t> next_due_us_{INT64_MAX};    // wall
  std::atomic<bool> claiming_{false};
};

}  // namespace gantry::runtime
