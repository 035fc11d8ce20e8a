// What becomes of a batch that did not commit, of the event that is to blame, and of a store that takes no more writes.
#include "runtime/lane.hpp"

#include <algorithm>

#include "observability/log.hpp"
#include "runtime/instance.hpp"

namespace gantry::runtime {
namespace {

constexpr std::uint32_t attempts_before_parking = 4;
constexpr std::int64_t first_pause_us = 100'000;
constexpr std::int64_t longest_pause_us = 30'000'000;
// Of a single event or write, before it is to blame. Hosts that share a store get in each other's way now and then.
constexpr std::size_t reruns_alone = 3;
constexpr std::size_t reruns_among_hosts = 20;
constexpr std::int64_t contention_pause_us = 500'000;

using observability::log_error;
using observability::log_warn;

}  // namespace

const deadly_work* lane::find_deadly(const taken& t) const {
  const auto& r = *t.event;
  for (const auto& d : deadly_) {
    if (d.partition != t.from->where.partition || d.name != t.from->topic) continue;
    // It may have been published once more since, at another place.
    if (d.length == 1 && !d.id.empty() && r.id == d.id) return &d;
    if (r.offset < d.offset || r.offset - d.offset >= d.length) continue;
    // Of several events the first one's id is known.
    if (r.offset == d.offset && r.id.substr(0, d.id.size()) != d.id) continue;
    return &d;
  }
  return nullptr;
}

std::string lane::death_text(const deadly_work& known) {
  return "the process died " + std::to_string(known.crashes) + " times in this event, the last time in " + known.why;
}

void lane::halt(feed& f, const std::string& why) {
  f.halted = why;
  const std::lock_guard lock(queue_mutex_);
  halted_ = f.topic + "/" + std::to_string(f.where.partition) + ": " + why;
}

bool lane::halve(const failure& what, std::size_t reruns) {
  const bool again = presence_ ? reruns < reruns_among_hosts : what.status == GANTRY_RETRY && reruns < reruns_alone;
  workers_.schedule(*this);  // for what is left out here
  limit_ = std::max<std::size_t>(1, limit_ / 2);
  if (!writes_.empty()) {
    // Requests wait; the events' turn comes again.
    const bool alone = writes_.size() == 1 && taken_.empty();
    taken_.clear();
    if (!alone) {
      if (writes_.size() == 1) return true;
      const auto half = writes_.begin() + static_cast<std::ptrdiff_t>(writes_.size() / 2);
      const std::lock_guard lock(queue_mutex_);
      queue_.insert(queue_.begin(), std::make_move_iterator(half), std::make_move_iterator(writes_.end()));
      writes_.erase(half, writes_.end());
      return true;
    }
    if (again) return true;
    const bool own = !write_ends_.empty() && write_ends_[0].first != GANTRY_OK;
    end_without_commit(own ? write_ends_[0].first : what.status, own ? write_ends_[0].second : what.text);
    return false;
  }
  if (taken_.size() > 1) {
    taken_.resize(taken_.size() / 2);
    return true;
  }
  if (again) return true;
  if (presence_ && (what.status == GANTRY_RETRY || what.status == GANTRY_CONFLICT)) {
    // Another host's transaction is in the way, perhaps of one that stands still: not this event's doing.
    taken_[0].from->blocked_until_us = clock_.steady_us() + contention_pause_us;
    taken_.clear();
    return false;
  }
  failure alone = what;
  alone.at = 0;
  blame(alone);
  return false;
}

void lane::blame(const failure& what) {
  feed& f = *taken_[what.at].from;
  const bus::record& r = *taken_[what.at].event;
  const std::size_t own = taken_[what.at].index;
  owner_->counts.event_errors->add();
  owner_->failures.keep(what.text);
  std::erase_if(taken_, [&](const taken& t) { return t.from == &f && t.index >= own; });
  workers_.schedule(*this);  // for what was taken behind it
  if (own != 0) return;      // what came before it commits; then it stands at the head and is tried alone
  ++f.attempts;
  if (what.guess) return;  // perhaps another one is to blame: first it is tried alone
  f.last_error = what.text;
  f.park_head = what.status == GANTRY_REJECT || f.attempts >= attempts_before_parking;
  if (f.park_head && options_.poison == poison_policy::halt) {
    f.park_head = false;
    halt(f, what.text);
    return;
  }
  if (f.park_head) return;
  // Full jitter: anywhere between now and the exponential bound.
  random_state_ ^= random_state_ << 13;
  random_state_ ^= random_state_ >> 7;
  random_state_ ^= random_state_ << 17;
  const std::int64_t bound = std::min(longest_pause_us, first_pause_us << (f.attempts - 1));
  f.blocked_until_us =
      clock_.steady_us() + static_cast<std::int64_t>(random_state_ % static_cast<std::uint64_t>(bound));
  log_warn("An event handler failed and will be tried again.", {{"plugin", owner_->id()},
                                                                {"topic", f.topic},
                                                                {"event_id", r.id},
                                                                {"type", r.type},
                                                                {"attempt", std::to_string(f.attempts)},
                                                                {"error", what.text}});
}

void lane::end_without_commit(gantry_status status, std::string_view text) {
  for (auto& w : writes_) w->finished(false, status, text);
  writes_.clear();
  taken_.clear();
}

void lane::break_down(std::string_view why) {
  {
    const std::lock_guard lock(queue_mutex_);
    if (!broken_.empty()) return;
  }
  log_error("The store takes no more writes.",
            {{"plugin", owner_->id()}, {"store", store_.describe()}, {"error", why}});
  events_on_ = false;
  std::vector<std::unique_ptr<write>> waiting;
  {
    const std::lock_guard lock(queue_mutex_);
    broken_ = owner_->id() + ": the store takes no more writes: " + std::string(why);
    waiting.swap(queue_);
  }
  // What was committed and not synced may be on the disk or not: nobody is told that it is.
  for (auto& lost : unsettled_)
    for (auto& w : lost->writes) w->finished(false, GANTRY_UNAVAILABLE, why);
  unsettled_.clear();
  unsettled_count_ = 0;
  for (auto& w : waiting) w->finished(false, GANTRY_UNAVAILABLE, why);
}

void lane::resume() {
  if (parking_.count() >= options_.parked_max) return;
  for (auto& f : feeds_) {
    if (f->halted.empty()) continue;
    f->halted.clear();
    f->attempts = 0;
    f->blocked_until_us = 0;
    f->available.store(true, std::memory_order_release);
  }
  {
    const std::lock_guard lock(queue_mutex_);
    halted_.clear();
  }
  workers_.schedule(*this);
}

}  // namespace gantry::runtime
