#include "store/sqlite/log_syncer.hpp"

#include <sqlite3.h>

#include <string>
#include <utility>

#include "base/new_thread.hpp"
#include "store/sqlite/gathering_vfs.hpp"
#include "store/sqlite/session.hpp"

namespace gantry::store::sqlite {

log_syncer::~log_syncer() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

log_syncer::attached log_syncer::attach(connection& on) {
  sqlite3_file* log = nullptr;
  if (sqlite3_file_control(on.handle(), "main", SQLITE_FCNTL_JOURNAL_POINTER, &log) != SQLITE_OK || log == nullptr ||
      log->pMethods == nullptr)
    return attached::no_log;
  // Makes durable what an earlier life has committed and not synced, and syncs the directory of a new log, which SQLite
  // does once, and not for two threads.
  const int code = gathering_vfs::sync_written(*log);
  if (code == SQLITE_MISUSE) return attached::no_log;
  if (code != SQLITE_OK) {
    health_.stop(std::string("the log's sync failed: ") + sqlite3_errstr(code));
    return attached::failed;
  }
  const std::lock_guard lock(file_mutex_);
  log_ = log;
  return attached::yes;
}

void log_syncer::detach() {
  {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return !busy_ && !done_; });
  }
  const std::lock_guard lock(file_mutex_);
  log_ = nullptr;
}

bool log_syncer::sync() { return sync_to(committed_.load()); }

bool log_syncer::sync_to(std::uint64_t mark) {
  const std::lock_guard lock(file_mutex_);
  if (durable() >= mark) return true;
  if (health_.stopped() || log_ == nullptr) return false;
  if (const int code = gathering_vfs::sync_written(*log_); code != SQLITE_OK) {
    health_.stop(std::string("the log's sync failed: ") + sqlite3_errstr(code));
    return false;
  }
  durable_.store(mark, std::memory_order_release);
  return true;
}

void log_syncer::sync_later(std::function<void()> done) {
  if (!has_thread()) {
    sync();
    done();
    return;
  }
  {
    const std::lock_guard lock(mutex_);
    done_ = std::move(done);
  }
  changed_.notify_all();
}

// The system may have none to give now, and one later.
bool log_syncer::has_thread() {
  if (thread_.joinable()) return true;
  auto begun = new_thread([this] { run(); });
  if (begun) thread_ = std::move(*begun);
  return static_cast<bool>(begun);
}

void log_syncer::run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [this] { return stopping_ || done_; });
    if (!done_) return;
    const auto done = std::exchange(done_, nullptr);
    busy_ = true;
    lock.unlock();
    sync();
    done();
    lock.lock();
    busy_ = false;
    changed_.notify_all();
  }
}

}  // namespace gantry::store::sqlite
