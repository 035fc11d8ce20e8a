// The journal's own thread: syncs what was appended, tells producers, and does what is not urgent in between.
#include <algorithm>

#include "bus/local/journal.hpp"

namespace gantry::bus::local {
namespace {

constexpr std::chrono::milliseconds after_a_sync{50};
constexpr std::chrono::milliseconds when_idle{1000};
constexpr std::chrono::milliseconds when_full{500};

}  // namespace

void journal::run() {
  using clock = std::chrono::steady_clock;
  auto synced_at = clock::now();
  auto retained_at = clock::now();
  auto tidied_at = clock::now();
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    const auto idle = marked_ < synced_ ? after_a_sync : std::min(when_idle, options_.retention_check);
    wake_.wait_for(lock, idle, [&] { return stopping_ || dirty_; });
    const bool work = dirty_;
    if (work) {
      // What is appended meanwhile shares this sync. After a pause there is nothing to wait for.
      const auto pause =
          refused_ ? std::max<std::chrono::microseconds>(options_.sync_interval, when_full) : options_.sync_interval;
      wake_.wait_until(lock, synced_at + pause, [&] { return stopping_; });
      synced_at = clock::now();
    }
    lock.unlock();
    if (work) static_cast<void>(sync());  // health() tells of a failure
    if (!work || clock::now() - tidied_at >= when_idle) {
      tidied_at = clock::now();
      tidy();
    }
    if (!work) tail_.shrink();
    if (clock::now() - retained_at >= options_.retention_check) {
      retained_at = clock::now();
      retain();
    }
    lock.lock();
  }
}

void journal::tidy() {
  write_indexes();
  write_positions();
  write_mark();
}

result<void> journal::sync() {
  const std::scoped_lock turn(sync_mutex_);
  {
    std::unique_lock lock(mutex_);
    if (failed_) {
      // A write may have found the journal broken; who waits for a sync hears of it here.
      const error why = *failed_;
      lock.unlock();
      fail(why);
      return why;
    }
    if (!dirty_) return {};
  }
  const auto now = begin_round();
  if (auto stored = write_for_sync(); !stored) {
    if (stored.failure().code == errc::unavailable)
      put_back(now);
    else
      fail(stored.failure());
    return stored;
  }
  if (auto done = sync_files(now); !done) {
    fail({errc::io, "the journal can't be synced, so nothing more is taken; restart after the disk is repaired: " +
                        done.failure().text});
    return done;
  }
  {
    const std::scoped_lock lock(mutex_);
    synced_ = now.target;
    for (auto& known : sealed_)
      known.synced = known.synced || std::any_of(now.sealed.begin(), now.sealed.end(),
                                                 [&](const auto& s) { return s.where == known.where; });
    if (now.reserving) for_each_partition([](auto& p) { p.reserved_durably = p.reserved_syncing; });
  }
  synced_now_.notify_all();
  for (const auto& producer : now.waiting) {
    const std::scoped_lock call(producer->mutex);
    // Only this function changes `syncing`, one call at a time.
    const auto tickets = std::exchange(producer->syncing, std::nullopt);
    if (producer->events != nullptr) producer->events->acknowledged(tickets->last);
  }
  return {};
}

// Notes what the sync that begins now will cover.
journal::round journal::begin_round() {
  round out;
  const std::scoped_lock lock(mutex_);
  dirty_ = false;
  out.target = end();
  out.active = active_;
  std::copy_if(sealed_.begin(), sealed_.end(), std::back_inserter(out.sealed), [](const auto& s) { return !s.synced; });
  out.names = std::exchange(names_dirty_, false);
  out.reserving = std::exchange(reserving_, false);
  if (out.reserving) for_each_partition([](auto& p) { p.reserved_syncing = p.reserved; });
  for (const auto& producer : producers_) {
    if (!producer->written) continue;
    producer->syncing = std::exchange(producer->written, std::nullopt);
    out.waiting.push_back(producer);
  }
  return out;
}

// The disk is full: a later round covers it all.
void journal::put_back(const round& unfinished) {
  const std::scoped_lock lock(mutex_);
  dirty_ = true;
  names_dirty_ = names_dirty_ || unfinished.names;
  reserving_ = reserving_ || unfinished.reserving;
  for (const auto& producer : unfinished.waiting) {
    const auto tickets = std::exchange(producer->syncing, std::nullopt);
    if (!producer->written) producer->written = tickets;
    producer->written->first = tickets->first;
  }
}

result<void> journal::sync_files(const round& of) {
  for (const auto& part : of.sealed) {
    auto log = part.where->log();
    if (!log) return std::move(log).failure();
    if (auto synced = (*log)->fdatasync(); !synced) return synced;
  }
  auto log = of.active.where->log();
  if (!log) return std::move(log).failure();
  if (auto synced = (*log)->fdatasync(); !synced) return synced;
  return of.names ? files_.sync_directory(options_.directory) : result<void>();
}

// The kernel may have dropped what it couldn't write and call the pages clean: a second fsync that succeeds would
// prove nothing. So this is for good.
void journal::fail(const error& why) {
  std::vector<std::pair<std::shared_ptr<producer_state>, std::uint64_t>> lost;
  {
    const std::scoped_lock lock(mutex_);
    failed_ = why;
    dirty_ = false;
    for (const auto& producer : producers_) {
      producer->dead = true;
      if (producer->syncing || producer->written)
        lost.emplace_back(producer, (producer->syncing ? producer->syncing : producer->written)->first);
      producer->syncing.reset();
      producer->written.reset();
    }
  }
  synced_now_.notify_all();
  for (const auto& [producer, ticket] : lost) {
    const std::scoped_lock call(producer->mutex);
    if (producer->events != nullptr) producer->events->failed(ticket, why);
  }
}

void journal::write_indexes() {
  const std::scoped_lock turn(tidying_mutex_);
  std::vector<sealed_segment> due;
  {
    const std::scoped_lock lock(mutex_);
    std::copy_if(sealed_.begin(), sealed_.end(), std::back_inserter(due),
                 [](const auto& s) { return s.synced && !s.indexed; });
  }
  for (const auto& part : due) {
    // Without the file nothing is lost: the frames stay in memory, and a start reads the segment instead.
    if (!write_index_of(part)) return;
    const std::scoped_lock lock(mutex_);
    for (auto& known : sealed_) known.indexed = known.indexed || known.where == part.where;
  }
}

result<void> journal::write_index_of(const sealed_segment& part) {
  std::vector<indexed_section> sections;
  for_each_partition([&](auto& partition) {
    if (auto held = partition.part_in(*part.where)) sections.push_back({held->summary, held->frames});
  });
  if (auto written = write_index(files_, *part.where, part.size, part.state_at, sections); !written) return written;
  for (const auto& section : sections) find(section.summary.where)->indexed(*part.where, section.summary);
  return {};
}

// Tells a later start how far the journal was synced, when no further append does.
void journal::write_mark() {
  {
    const std::scoped_lock lock(mutex_);
    if (failed_ || dirty_ || marked_ == synced_) return;
    frame_header header;
    header.kind = frame_kind::mark;
    header.length = sizeof header;
    header.position = end();
    header.synced = synced_;
    put_header(header, take(sizeof header));
    marked_ = synced_;
  }
  static_cast<void>(write(true));  // needs no sync of its own
}

void journal::write_positions() {
  {
    const std::scoped_lock lock(groups_mutex_);
    if (!std::exchange(positions_dirty_, false)) return;
  }
  const std::scoped_lock lock(mutex_);
  if (!failed_) append_state(false);
}

}  // namespace gantry::bus::local
