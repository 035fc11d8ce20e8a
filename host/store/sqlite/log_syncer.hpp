// Makes commits durable after they were made: SQLite's writer commits without a sync (its log is complete in the kernel
// by then), and one sync of the log covers all commits before it, while the writer goes on. Owned by the store. Thread:
// attach, committed, sync and detach the writing session's; durable() any.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <thread>

#include "store/sqlite/connection.hpp"
#include "store/write_health.hpp"

struct sqlite3_file;

namespace gantry::store::sqlite {

class log_syncer {
 public:
  explicit log_syncer(write_health& health) : health_(health) {}
  log_syncer(const log_syncer&) = delete;
  log_syncer& operator=(const log_syncer&) = delete;
  ~log_syncer();

  enum class attached {
    yes,
    no_log,  // nothing may be put off
    failed,  // its sync failed: what an earlier life left there is unknown
  };
  // From now on commits go to this connection's log.
  attached attach(connection& on);
  // Returns when all that were asked for are done, and nothing is called any more.
  void detach();

  // A commit was made; its mark. Marks grow by one.
  std::uint64_t committed() noexcept { return ++committed_; }
  // Commits up to this mark are durable.
  std::uint64_t durable() const noexcept { return durable_.load(std::memory_order_acquire); }

  // Syncs what was committed, on this thread. False: a sync failed, now or earlier.
  bool sync();
  // The same on the syncer's own thread; `done` is called there afterwards. Requests that come while one waits are one.
  // While the system gives no thread: the same on this one, before it returns.
  void sync_later(std::function<void()> done);

 private:
  void run();
  bool has_thread();
  bool sync_to(std::uint64_t mark);

  write_health& health_;
  std::atomic<std::uint64_t> committed_{0};
  std::atomic<std::uint64_t> durable_{0};
  std::mutex file_mutex_;        // held during a sync; guards log_
  sqlite3_file* log_ = nullptr;  // of the writing connection
  std::mutex mutex_;             // guards what follows
  std::condition_variable changed_;
  std::function<void()> done_;  // set: a sync is asked for
  bool busy_ = false;
  bool stopping_ = false;
  std::thread thread_;  // begins with the first request; the writing session's
};

}  // namespace gantry::store::sqlite
