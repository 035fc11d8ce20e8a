#include "outbox/relay.hpp"

#include <algorithm>
#include <utility>
#include <vector>

#include "outbox/row.hpp"

namespace gantry::outbox {
namespace {

constexpr std::int64_t first_pause_us = 50'000;
constexpr std::int64_t longest_pause_us = 5'000'000;
constexpr std::int64_t rows_at_once = 64;

gantry_value integer(std::uint64_t v) {
  gantry_value out{};
  out.type = GANTRY_INT;
  out.as.i = static_cast<std::int64_t>(v);
  return out;
}

}  // namespace

relay::relay(bus::bus& to, const clock& time, topic_lookup topics, std::function<void()> wake, bool shared)
    : bus_(to), clock_(time), topics_(std::move(topics)), wake_(std::move(wake)), shared_(shared) {}

// The producer first: its acknowledgements need all the rest.
relay::~relay() { producer_.reset(); }

result<void> relay::recover(store::session& session, std::uint64_t highest) {
  store::cursor* rows = nullptr;
  if (session.query("SELECT min(id), max(id), sum(length(bytes)) FROM gantry_outbox", {}, &rows) != GANTRY_OK)
    return error{errc::io, "reading the outbox: " + std::string(session.error_text())};
  gantry_value first{};
  gantry_value last{};
  gantry_value bytes{};
  const bool read = rows->next() == GANTRY_OK && rows->column(0, first) == GANTRY_OK &&
                    rows->column(1, last) == GANTRY_OK && rows->column(2, bytes) == GANTRY_OK;
  rows->close();
  // Taken for empty, rows that nobody has sent would count as sent.
  if (!read) return error{errc::io, "reading the outbox: " + std::string(session.error_text())};
  const bool some = first.type == GANTRY_INT;
  producer_.reset();
  follows_ = false;
  looks_ = false;
  recount_ = false;
  highest_ = some ? std::max(highest, static_cast<std::uint64_t>(last.as.i)) : highest;
  begin_after(some ? static_cast<std::uint64_t>(first.as.i) - 1 : highest,
              some ? static_cast<std::uint64_t>(bytes.as.i) : 0);
  behind_ = some;
  if (!open_producer()) behind_ = true;
  return {};
}

void relay::begin_after(std::uint64_t id, std::uint64_t waiting) {
  const std::lock_guard lock(mutex_);
  in_flight_.clear();
  in_flight_from_ = 0;
  forget_failure();
  failed_at_ = id;
  acknowledged_ = id;
  handed_ = id;
  pending_bytes_ = waiting;
}

void relay::follow() {
  // What it had handed over may still be acknowledged; from here on the table says what was.
  producer_.reset();
  broken_ = false;
  follows_ = true;
  looks_ = false;
  behind_ = false;
  const std::lock_guard lock(mutex_);
  forget_failure();
  in_flight_.clear();
  in_flight_from_ = 0;
  if (const auto bytes = pending_bytes_.load(); bytes != 0) in_flight_.push_back({highest_, bytes});
}

void relay::look() {
  if (follows_ || behind_) return;
  looks_ = true;
  behind_ = true;
}

bool relay::waits() const {
  const std::lock_guard lock(mutex_);
  return follows_ && in_flight_from_ < in_flight_.size();
}

result<void> relay::observe(store::session& session) {
  store::cursor* rows = nullptr;
  if (session.query("SELECT min(id) FROM gantry_outbox", {}, &rows) != GANTRY_OK)
    return error{errc::io, "reading the outbox: " + std::string(session.error_text())};
  gantry_value first{};
  const bool read = rows->next() == GANTRY_OK && rows->column(0, first) == GANTRY_OK;
  rows->close();
  if (!read) return error{errc::io, "reading the outbox: " + std::string(session.error_text())};
  note_acknowledged(first.type == GANTRY_INT ? static_cast<std::uint64_t>(first.as.i) - 1 : highest_);
  return {};
}

bool relay::open_producer() {
  producer_.reset();
  broken_ = false;
  auto opened = bus_.open_producer(*this);
  if (!opened) {
    fall_behind(opened.failure());
    return false;
  }
  producer_ = std::move(*opened);
  return true;
}

void relay::fall_behind(const error& why) {
  // First: afterwards nothing is acknowledged any more that the account below would not know.
  producer_.reset();
  broken_ = false;
  {
    const std::lock_guard lock(mutex_);
    last_error_ = why;
    failing_ = true;
    in_flight_.clear();
    in_flight_from_ = 0;
  }
  handed_ = acknowledged_.load();
  // Shorter again only once the bus has taken something: it may take rows and refuse them later, each time.
  if (std::exchange(failed_at_, handed_) != handed_) pause_us_ = 0;
  pause_us_ = std::clamp(pause_us_ * 2, first_pause_us, longest_pause_us);
  retry_at_us_ = clock_.steady_us() + pause_us_;
  looks_ = false;
  failures_.fetch_add(1, std::memory_order_relaxed);
  behind_ = true;
}

void relay::committed(std::uint64_t id, std::span<const bus::batch> batches, std::size_t bytes) {
  recount_ = recount_ || (shared_ && id <= highest_);
  highest_ = id;
  pending_bytes_.fetch_add(bytes, std::memory_order_relaxed);
  if (follows_) {
    const std::lock_guard lock(mutex_);
    in_flight_.push_back({id, bytes});
    return;
  }
  if (broken_) fall_behind(last_error());
  // Another host's rows lie between, or numbers of transactions that were taken back: the table knows.
  if (shared_ && id != handed_ + 1) {
    look();
    wake_();
  }
  if (behind_) return;
  {
    // Before the append, so that an acknowledgement finds it.
    const std::lock_guard lock(mutex_);
    in_flight_.push_back({id, bytes});
  }
  if (auto done = producer_->append(id, batches); !done) {
    fall_behind(done.failure());
    return;
  }
  handed_ = id;
  ++appended_;
}

bool relay::wants_catch_up() const {
  if (follows_) return false;
  if (broken_.load(std::memory_order_acquire)) return true;
  return behind_ && clock_.steady_us() >= retry_at_us_;
}

void relay::catch_up(store::session& session) {
  if (broken_) {
    fall_behind(last_error());
    return;
  }
  if (!producer_ && !open_producer()) return;
  const gantry_value params[] = {integer(handed_), integer(rows_at_once)};
  store::cursor* rows = nullptr;
  const auto unread = [&](gantry_status status) {
    return error{status == GANTRY_UNAVAILABLE ? errc::unavailable : errc::io,
                 "reading the outbox: " + std::string(session.error_text())};
  };
  if (const auto status = session.query(
          "SELECT id, bytes, source FROM gantry_outbox WHERE id > $1 ORDER BY id LIMIT $2", params, &rows);
      status != GANTRY_OK) {
    fall_behind(unread(status));
    return;
  }
  std::int64_t seen = 0;
  std::vector<bus::batch> batches;
  error failure;
  bool good = true;
  gantry_status row = GANTRY_OK;
  while ((row = rows->next()) == GANTRY_OK) {
    gantry_value id{};
    gantry_value bytes{};
    gantry_value source{};
    if (rows->column(0, id) != GANTRY_OK || rows->column(1, bytes) != GANTRY_OK ||
        rows->column(2, source) != GANTRY_OK) {
      row = GANTRY_FAILED;
      break;
    }
    auto parts = read_parts({bytes.as.s.ptr, bytes.as.s.len});
    if (!parts) {
      failure = parts.failure();
      good = false;
      break;
    }
    batches.clear();
    for (const part& p : *parts) {
      auto topic = topics_(p.topic);
      if (!topic) {
        failure = topic.failure();
        good = false;
        break;
      }
      batches.push_back({{*topic, p.partition}, p.count, {source.as.s.ptr, source.as.s.len}, p.records});
    }
    if (!good) break;
    const auto ticket = static_cast<std::uint64_t>(id.as.i);
    if (ticket > highest_) {
      // Another host's.
      highest_ = ticket;
      pending_bytes_.fetch_add(bytes.as.s.len, std::memory_order_relaxed);
    }
    {
      const std::lock_guard lock(mutex_);
      in_flight_.push_back({ticket, bytes.as.s.len});
    }
    if (auto done = producer_->append(ticket, batches); !done) {
      failure = done.failure();
      good = false;
      break;
    }
    handed_ = ticket;
    ++appended_;
    ++seen;
  }
  if (good && row != GANTRY_DONE) {
    // A row that can't be read must not be passed over.
    failure = unread(row);
    good = false;
  }
  rows->close();
  if (!good) {
    fall_behind(failure);
    return;
  }
  if (seen == rows_at_once) return;
  if (!shared_) handed_ = highest_;
  looks_ = false;
  behind_ = false;
  // All that waits is on its way: rows of other hosts too, which were not counted when they were committed.
  const std::lock_guard lock(mutex_);
  std::uint64_t waiting = 0;
  for (std::size_t i = in_flight_from_; i < in_flight_.size(); ++i) waiting += in_flight_[i].bytes;
  pending_bytes_ = waiting;
  if (waiting == 0 && !broken_) forget_failure();
}

void relay::acknowledged(std::uint64_t ticket) {
  note_acknowledged(ticket);
  wake_();
}

void relay::note_acknowledged(std::uint64_t id) {
  const std::lock_guard lock(mutex_);
  std::uint64_t bytes = 0;
  while (in_flight_from_ < in_flight_.size() && in_flight_[in_flight_from_].id <= id)
    bytes += in_flight_[in_flight_from_++].bytes;
  if (in_flight_from_ == in_flight_.size()) {
    in_flight_.clear();
    in_flight_from_ = 0;
  } else if (in_flight_from_ > 4096) {
    in_flight_.erase(in_flight_.begin(), in_flight_.begin() + static_cast<std::ptrdiff_t>(in_flight_from_));
    in_flight_from_ = 0;
  }
  pending_bytes_.fetch_sub(std::min(bytes, pending_bytes_.load()), std::memory_order_relaxed);
  if (id <= acknowledged_.load(std::memory_order_relaxed)) return;
  acknowledged_.store(id, std::memory_order_release);
  if (failing_ && !broken_) forget_failure();
}

void relay::forget_failure() {
  last_error_ = {};
  failing_ = false;
}

void relay::failed(std::uint64_t, const error& why) {
  {
    const std::lock_guard lock(mutex_);
    last_error_ = why;
    failing_ = true;
    broken_.store(true, std::memory_order_release);
  }
  wake_();
}

relay::counts relay::count() const { return {appended_, acknowledged_through(), failures_.load(), pending_bytes()}; }

error relay::last_error() const {
  const std::lock_guard lock(mutex_);
  return last_error_;
}

}  // namespace gantry::outbox
