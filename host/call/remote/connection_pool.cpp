#include "call/remote/connection_pool.hpp"

#include <algorithm>
#include <chrono>

namespace gantry::call {

result<connection_pool::lease> connection_pool::take(const deadline& by, bool fresh) {
  auto mine = slot(by, fresh);
  if (!mine) return mine;
  if (mine->channel_ && !fresh && mine->channel_->quiet()) {
    const std::lock_guard lock(mutex_);
    ++reused_;
    return mine;
  }
  mine->channel_.reset();
  mine->reused_ = false;
  auto made = connect(by);
  if (!made) return made.failure();
  mine->channel_ = std::move(*made);
  return mine;
}

// One of the connections that may be open: an idle one, or the right to make one.
result<connection_pool::lease> connection_pool::slot(const deadline& by, bool fresh) {
  closing old;  // closed without the lock
  std::unique_lock lock(mutex_);
  drop_old(old);
  if (!fresh && !idle_.empty()) {
    auto newest = std::move(idle_.back().what);
    idle_.pop_back();
    return lease(*this, std::move(newest));
  }
  if (open_ < limits_.max_connections) {
    ++open_;
    return lease(*this, nullptr);
  }
  if (!idle_.empty()) {
    old.push_back(std::move(idle_.front().what));
    idle_.erase(idle_.begin());
    return lease(*this, nullptr);
  }
  return wait(lock, by);
}

result<connection_pool::lease> connection_pool::wait(std::unique_lock<std::mutex>& lock, const deadline& by) {
  if (waiting_.size() >= limits_.max_waiting)
    return error{errc::conflict, std::to_string(open_) + " connections are in use and " +
                                     std::to_string(waiting_.size()) + " calls wait for one"};
  waiter mine;
  const auto at = waiting_.insert(waiting_.end(), &mine);
  const auto patience = std::chrono::microseconds(by.left_us());
  if (!mine.ready.wait_for(lock, patience, [&mine] { return mine.served; })) {
    waiting_.erase(at);
    return error{errc::conflict, "all " + std::to_string(open_) + " connections were in use until the deadline"};
  }
  return lease(*this, std::move(mine.given));
}

void connection_pool::give_back(std::unique_ptr<channel> what) {
  const std::lock_guard lock(mutex_);
  if (!waiting_.empty()) {
    // In order of arrival: who comes now finds nothing idle and waits behind.
    auto& first = *waiting_.front();
    waiting_.pop_front();
    first.given = std::move(what);
    first.served = true;
    first.ready.notify_one();
  } else if (what) {
    idle_.push_back({std::move(what), time_.steady_us()});
  } else {
    --open_;
  }
}

result<std::unique_ptr<channel>> connection_pool::connect(const deadline& by) {
  const auto patience = by.at_most(limits_.connect_timeout_us);
  const auto late = [&](const std::string& text) {
    return error{by.passed() ? errc::timeout : errc::unavailable, text};
  };
  const auto found = names_.find(where_, patience);
  if (!found) return found.failure().code == errc::timeout ? late(found.failure().text) : found.failure();
  error last{errc::unavailable, "the name has no address"};
  for (const auto& to : *found) {
    auto made = channel::open(to, how_, patience);
    if (made) {
      const std::lock_guard lock(mutex_);
      ++connected_;
      return made;
    }
    if (made.failure().code == errc::timeout) return late(made.failure().text);
    last = made.failure();
  }
  return last;
}

// Those used last stand at the end, so the old ones are in front.
void connection_pool::drop_old(closing& old) {
  const auto from = time_.steady_us() - limits_.idle_us;
  const auto end = std::find_if(idle_.begin(), idle_.end(), [from](const idle& one) { return one.since_us > from; });
  for (auto at = idle_.begin(); at != end; ++at) old.push_back(std::move(at->what));
  open_ -= static_cast<std::size_t>(end - idle_.begin());
  idle_.erase(idle_.begin(), end);
}

void connection_pool::close_idle() {
  closing old;
  const std::lock_guard lock(mutex_);
  drop_old(old);
}

connection_pool::counts connection_pool::now() const {
  const std::lock_guard lock(mutex_);
  return {open_, idle_.size(), waiting_.size(), connected_, reused_};
}

}  // namespace gantry::call
