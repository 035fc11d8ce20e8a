// Copies a store's log into its database on a thread of its own, so that the writer doesn't stop for it.
//
// While the writer goes on, a copy is never complete, and only a complete one lets the log start over. So the thread
// copies in rounds, each what came during the one before, and syncs; when little is left it hands over, and the writer
// finishes between two transactions. The thread and its connection begin with the first request.
// Owned by the store. Thread: request and finished the writing session's, one at a time.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <thread>

#include "store/sqlite/connection.hpp"
#include "store/write_health.hpp"

namespace gantry::store::sqlite {

class checkpointer {
 public:
  checkpointer(const sqlite_options& options, write_health& health);
  checkpointer(const checkpointer&) = delete;
  checkpointer& operator=(const checkpointer&) = delete;
  // Waits for the round that runs.
  ~checkpointer();

  // The log has `log_pages` and is to be copied. True: the rest is the writer's; call finished() when it is done.
  // False: the thread is at work. Waits for it once the log has grown by hard_limit_factor times checkpoint_pages since
  // the first request: the bound of the log's size when the disk is slower than the writer.
  bool request(std::uint32_t log_pages);
  void finished();

  static constexpr std::uint32_t hard_limit_factor = 3;

 private:
  enum class state {
    idle,
    copying,      // the thread's turn
    handed_over,  // the writer's turn
  };

  void run();
  bool has_thread();  // with mutex_ held
  void copy(sqlite3* db);
  std::uint32_t seen_pages();
  bool sync_database(sqlite3* db);

  const sqlite_options& options_;
  write_health& health_;
  std::mutex mutex_;  // guards what follows
  std::condition_variable changed_;
  state state_ = state::idle;
  bool stopping_ = false;
  std::uint32_t asked_at_ = 0;   // pages of the log at the first request
  std::uint32_t log_pages_ = 0;  // at the latest one
  std::thread thread_;
};

}  // namespace gantry::store::sqlite
