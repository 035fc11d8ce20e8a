#include "store/sqlite/checkpointer.hpp"

#include <sqlite3.h>

#include <algorithm>
#include <string>

#include "base/new_thread.hpp"
#include "store/sqlite/session.hpp"
#include "store/sqlite/status.hpp"

namespace gantry::store::sqlite {
namespace {

constexpr int most_rounds = 2;

// A rest of this part of checkpoint_pages is little enough for the writer.
constexpr std::uint32_t small_rest = 16;

}  // namespace

checkpointer::checkpointer(const sqlite_options& options, write_health& health) : options_(options), health_(health) {}

checkpointer::~checkpointer() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

bool checkpointer::request(std::uint32_t log_pages) {
  std::unique_lock lock(mutex_);
  log_pages_ = log_pages;
  if (state_ == state::idle) {
    if (!has_thread()) {
      state_ = state::handed_over;
      return true;
    }
    asked_at_ = log_pages;
    state_ = state::copying;
    changed_.notify_all();
  }
  // A log that started over meanwhile is shorter than when it was asked for.
  if (log_pages >= asked_at_ && (log_pages - asked_at_) / hard_limit_factor >= options_.checkpoint_pages) {
    changed_.wait(lock, [this] { return state_ != state::copying; });
  }
  return state_ == state::handed_over;
}

// Without one the writer copies everything. The system may have none to give now, and one later.
bool checkpointer::has_thread() {
  if (thread_.joinable()) return true;
  auto begun = new_thread([this] { run(); });
  if (begun) thread_ = std::move(*begun);
  return static_cast<bool>(begun);
}

void checkpointer::finished() {
  const std::lock_guard lock(mutex_);
  if (state_ == state::handed_over) state_ = state::idle;
}

std::uint32_t checkpointer::seen_pages() {
  const std::lock_guard lock(mutex_);
  return log_pages_;
}

void checkpointer::run() {
  // Without a connection every turn is handed over at once: the writer copies, only slower.
  const auto on = connection::open(options_, role::migrator);
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [this] { return stopping_ || state_ == state::copying; });
    if (stopping_) break;
    lock.unlock();
    if (on) copy((*on)->handle());
    lock.lock();
    state_ = state::handed_over;
    changed_.notify_all();
  }
}

void checkpointer::copy(sqlite3* db) {
  for (int round = 0; round < most_rounds && !health_.stopped(); ++round) {
    int pages = 0;
    int copied = 0;
    // Passive: takes no lock that the writer or a reader would wait for.
    const int code = sqlite3_wal_checkpoint_v2(db, "main", SQLITE_CHECKPOINT_PASSIVE, &pages, &copied);
    if (is_sync_failure(code)) health_.stop(sqlite3_errstr(code));
    if (code != SQLITE_OK || !sync_database(db)) return;
    const std::uint32_t log = seen_pages();
    const auto done = static_cast<std::uint32_t>(std::max(copied, 0));
    if (copied < pages || log <= done || log - done <= options_.checkpoint_pages / small_rest) return;
  }
}

// SQLite syncs the database only after a complete copy. Done here, that sync has little left to write when the writer
// waits for it.
bool checkpointer::sync_database(sqlite3* db) {
  sqlite3_file* file = nullptr;
  if (sqlite3_file_control(db, "main", SQLITE_FCNTL_FILE_POINTER, &file) != SQLITE_OK || !file->pMethods) return false;
  const int code = file->pMethods->xSync(file, SQLITE_SYNC_NORMAL);
  if (code != SQLITE_OK) health_.stop(std::string("checkpoint: ") + sqlite3_errstr(code));
  return code == SQLITE_OK;
}

}  // namespace gantry::store::sqlite
