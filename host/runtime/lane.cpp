#include "runtime/lane.hpp"

#include <algorithm>
#include <utility>

#include "jobs/job_board.hpp"
#include "observability/log.hpp"
#include "runtime/instance.hpp"

namespace gantry::runtime {
namespace {

constexpr std::int64_t maintenance_us = 1'000'000;
constexpr std::int64_t slow_batch_us = 20'000;
// Until an outbox that a healthy bus does not take is said: one that refuses it, and one where it can't be reached, by
// this way or for this topic.
constexpr std::int64_t refused_at_most_us = 5'000'000;
constexpr std::int64_t unreached_at_most_us = 90'000'000;
constexpr std::size_t unsettled_max = 4;                // commits that wait for their sync

}  // namespace

lane::lane(instance& owner, store::store& database, bus::bus& bus, const clock& time, worker_pool& workers,
           lane_options options)
    : owner_(owner),
      store_(database),
      bus_(bus),
      clock_(time),
      workers_(workers),
      options_(std::move(options)),
      deadly_(deadly_events_of(owner)),
      tx_(owner),
      age_(time),
      limit_(options_.batch_max),
      random_state_(options_.seed | 1U) {}

lane::~lane() { close(); }

std::vector<deadly_work> lane::deadly_events_of(const instance& owner) {
  std::vector<deadly_work> out;
  if (owner.around.deadly == nullptr) return out;
  for (const auto& d : *owner.around.deadly)
    if (d.plugin == owner.id() && !d.job) out.push_back(d);
  return out;
}

void lane::stop_events() { events_on_ = false; }

void lane::resume_events() {
  const std::lock_guard running(run_mutex_);
  // What arrived meanwhile was told to nobody.
  for (auto& f : feeds_) f->available.store(true, std::memory_order_release);
  next_claim_us_ = 0;
  events_on_ = true;
  workers_.schedule(*this);
}

void lane::adjust(std::size_t batch_max, poison_policy poison) {
  const std::lock_guard running(run_mutex_);
  options_.batch_max = batch_max;
  options_.poison = poison;
  limit_ = std::min(limit_, batch_max);
}

bool lane::enqueue(std::unique_ptr<write>& w, std::string& why) {
  {
    const std::lock_guard lock(queue_mutex_);
    if (closed_) {
      why = owner_->id() + " has stopped";
      return false;
    }
    if (!broken_.empty()) {
      why = broken_;
      return false;
    }
    if (queue_.size() >= options_.queue_max) {
      why = owner_->id() + ": " + std::to_string(queue_.size()) + " writes are waiting, that is all the queue takes";
      return false;
    }
    if (relay_ && relay_->pending_bytes() > options_.outbox_max_bytes) {
      why = owner_->id() + ": the bus has not taken " + std::to_string(relay_->pending_bytes()) +
            " bytes of the outbox, outbox.max_bytes is " + std::to_string(options_.outbox_max_bytes);
      return false;
    }
    queue_.push_back(std::move(w));
    workers_.schedule(*this);  // under the lock: nothing is scheduled once close() has begun
  }
  return true;
}

bool lane::enqueue_always(std::unique_ptr<write>& w) {
  {
    const std::lock_guard lock(queue_mutex_);
    if (closed_ || !broken_.empty()) return false;
    queue_.push_back(std::move(w));
    workers_.schedule(*this);
  }
  return true;
}

void lane::tick() {
  const auto now = clock_.steady_us();
  still_.look(now);
  tell_of_store(answers_.look(now));
  {
    const std::lock_guard lock(queue_mutex_);
    if (closed_ || !broken_.empty()) return;
    workers_.schedule(*this);
  }
}

bool lane::idle() const {
  const std::lock_guard lock(queue_mutex_);
  return queue_.empty() && !busy_ && unsettled_count_ == 0 &&
         (!relay_ || (relay_->current() && relay_->pending_bytes() == 0));
}

void lane::available(bus::partition_id where) {
  if (!events_on_.load(std::memory_order_acquire)) return;
  for (auto& f : feeds_)
    if (f->where == where) f->available.store(true, std::memory_order_release);
  workers_.schedule(*this);
}

std::vector<feed*> lane::feeds_of(std::string_view topic) {
  std::vector<feed*> out;
  for (auto& f : feeds_)
    if (f->topic == topic) out.push_back(f.get());
  return out;
}

void lane::run() {
  const std::lock_guard running(run_mutex_);
  busy_ = true;
  const auto now = clock_.steady_us();
  {
    const std::lock_guard lock(queue_mutex_);
    if (closed_ || !broken_.empty() || !relay_) {
      busy_ = false;
      return;
    }
  }
  settle();
  {
    const std::lock_guard lock(queue_mutex_);
    if (!broken_.empty()) {
      busy_ = false;
      return;
    }
  }
  if (presence_) keep_place(now);
  // Behind what takes its time: what is handled below should still be this host's.
  if (moved_.load(std::memory_order_acquire)) hear_of_moves();
  if (now >= next_claim_us_) claim_partitions(now);
  if (relay_->wants_catch_up() && make_durable()) catch_up();
  wheel_.acknowledged(relay_->acknowledged_through(), timer_now());
  bool waiting = false;
  if (now >= blocked_until_us_) {
    fire_timers();
    take_writes();
    const bool more = take_events();
    if (!taken_.empty() || !writes_.empty()) handle_batch();
    waiting = more;
    if (!waiting) {
      const std::lock_guard lock(queue_mutex_);
      waiting = !queue_.empty();
    }
    if (waiting) workers_.schedule(*this);
  }
  // Beside a slow handler a sync costs nothing, and what was committed should not wait for the next one.
  if (!waiting || unsettled_.size() >= unsettled_max || clock_.steady_us() - now > slow_batch_us) {
    make_durable();
  } else if (!unsettled_.empty()) {
    session_->sync_later([this] { workers_.schedule(*this); });
  }
  if (timers_wait_) note_caught_up();
  if (now - last_maintenance_us_ >= maintenance_us) {
    last_maintenance_us_ = now;
    look_at_outbox(now);
    maintain();
  }
  timer_count_ = wheel_.size();
  busy_ = false;
}

// What the bus refuses although it is well: nothing else would show it.
void lane::look_at_outbox(std::int64_t now) {
  const auto [code, why] = relay_->last_error();
  const bool refused = relay_->stuck() && !why.empty() && relay_->pending_bytes() != 0 && bus_.health();
  if (!refused) {
    if (std::exchange(refused_since_us_, 0) == 0) return;
    const std::lock_guard lock(queue_mutex_);
    if (outbox_error_.empty()) return;
    outbox_error_.clear();
    observability::log_info("Events leave the outbox again.", {{"plugin", owner_->id()}});
    return;
  }
  if (refused_since_us_ == 0) refused_since_us_ = now;
  const bool unreached = code == errc::unavailable || code == errc::timeout;
  if (now - refused_since_us_ < (unreached ? unreached_at_most_us : refused_at_most_us)) return;
  const std::lock_guard lock(queue_mutex_);
  if (outbox_error_.empty())
    observability::log_error(
        "Committed events do not leave the outbox.",
        {{"plugin", owner_->id()}, {"bytes", std::to_string(relay_->pending_bytes())}, {"reason", why}});
  outbox_error_ = "committed events do not leave the outbox: " + why;
}

void lane::catch_up() {
  if (!presence_) {
    relay_->catch_up(*session_);
  } else {
    // A snapshot, so that it is no read which others' writes contradict.
    if (session_->begin_read() != GANTRY_OK) return;
    relay_->catch_up(*session_);
    session_->end_read();
  }
  if (relay_->wants_catch_up()) workers_.schedule(*this);
}

void lane::take_writes() {
  const std::lock_guard lock(queue_mutex_);
  const std::size_t n = std::min(queue_.size(), limit_);
  std::move(queue_.begin(), queue_.begin() + static_cast<std::ptrdiff_t>(n), std::back_inserter(writes_));
  queue_.erase(queue_.begin(), queue_.begin() + static_cast<std::ptrdiff_t>(n));
}

lane_counts lane::count() const {
  lane_counts out;
  {
    const std::lock_guard lock(queue_mutex_);
    out.queue = queue_.size();
    out.blocked = !broken_.empty() ? broken_ : !halted_.empty() ? halted_ : outbox_error_;
    out.writable = broken_.empty();
  }
  out.away = answers_.reason();
  out.writable = out.writable && out.away.empty();
  out.timers = timer_count_;
  out.parked = parking_.count();
  out.leads = leads();
  if (relay_) out.outbox_bytes = relay_->pending_bytes();
  return out;
}

std::uint64_t lane::lag() const {
  std::uint64_t out = 0;
  for (const auto& [place, records] : lags()) out += records;
  return out;
}

std::vector<std::pair<std::string, std::uint64_t>> lane::lags() const {
  std::vector<std::pair<std::string, std::uint64_t>> out;
  const std::lock_guard reading(feeds_mutex_);
  if (!feeds_ready_.load(std::memory_order_acquire)) return out;
  for (const auto& f : feeds_)
    if (f->held() || !presence_) out.emplace_back(f->topic + "/" + std::to_string(f->where.partition), f->lag());
  return out;
}

}  // namespace gantry::runtime
