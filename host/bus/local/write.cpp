// Takes what was appended from memory to the files.
#include "bus/local/journal.hpp"

namespace gantry::bus::local {

// While a sync is under way whole pieces are written already, and a producer that waits for room is served.
void journal::run_writer() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    const bool ready = !failed_ && !refused_ && !sync_waits_ && (appends_waiting_ != 0 || tail_.has_whole_pieces());
    if (!ready) {
      wake_writer_.wait(lock);
      continue;
    }
    const bool all = appends_waiting_ != 0;
    lock.unlock();
    static_cast<void>(write(all));  // health() tells of a failure
    lock.lock();
  }
}

// Writes what waits; without `all` only whole pieces. unavailable: the disk is full, and all that wasn't written still
// waits. Any other error is for good.
result<void> journal::write(bool all) {
  const std::scoped_lock turn(write_mutex_);
  std::vector<piece> due;
  {
    const std::scoped_lock lock(mutex_);
    if (failed_) return *failed_;
    due = tail_.to_write(all);
  }
  for (const auto& part : due) {
    if (auto stored = write_piece(part); !stored) {
      not_written(stored.failure());
      return stored;
    }
    const std::scoped_lock lock(mutex_);
    tail_.written();
    refused_.reset();
    if (appends_waiting_ != 0) written_now_.notify_all();
    if (sync_waits_ && !all) return {};  // whose turn covers the rest
  }
  return {};
}

// A mutex is not fair: under load the writer would take its next turn before the sync wakes up, and acknowledgements
// would wait for many turns.
result<void> journal::write_for_sync() {
  {
    const std::scoped_lock lock(mutex_);
    sync_waits_ = true;
  }
  auto stored = write(true);
  {
    const std::scoped_lock lock(mutex_);
    sync_waits_ = false;
  }
  wake_writer_.notify_one();
  return stored;
}

result<void> journal::write_piece(const piece& part) {
  if (part.seals) return part.where->finish(part.at);
  return part.where->write({part.front, static_cast<std::size_t>(whole_blocks(part.size))}, part.at);
}

// A full disk is no damage: what was taken stays in memory, where readers find it, and goes to the disk when there is
// space. After any other failure nobody knows what the file holds; who waits for a sync hears of it there.
void journal::not_written(const error& why) {
  const std::scoped_lock lock(mutex_);
  if (why.code == errc::unavailable) {
    refused_ = why;
  } else {
    failed_ = error{errc::io,
                    "the journal can't be written, so nothing more is taken; restart after the disk is "
                    "repaired: " +
                        why.text};
    mark_dirty();
  }
  written_now_.notify_all();
  synced_now_.notify_all();
}

}  // namespace gantry::bus::local
