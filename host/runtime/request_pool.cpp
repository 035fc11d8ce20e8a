#include "runtime/request_pool.hpp"

#include <pthread.h>

#include <exception>
#include <stdexcept>
#include <utility>

#include "observability/log.hpp"

namespace gantry::runtime {

request_pool::request_pool(std::size_t threads, std::size_t queue_max, std::string name, std::size_t most)
    : queue_max_(queue_max), name_(std::move(name)), most_(most) {
  for (std::size_t i = 0; i < threads; ++i) grow();
  if (threads != 0 && threads_.empty())
    throw std::runtime_error("the system gives no thread for " + name_ + " workers");
}

request_pool::~request_pool() { stop(); }

void request_pool::grow() {
  const std::lock_guard lock(mutex_);
  if (!stopping_) start(name_.substr(0, 15), [this] { serve(); });
}

bool request_pool::start(std::string_view name, std::function<void()> serving) {
  try {
    threads_.emplace_back([name = std::string(name), serving = std::move(serving)] {
      pthread_setname_np(pthread_self(), name.c_str());
      serving();
    });
    refused_ = false;
    return true;
  } catch (const std::exception& e) {
    // Once, not with every call that would have had one.
    if (!std::exchange(refused_, true))
      observability::log_error("A thread could not be started; the others do its work.",
                               {{"thread", name}, {"running", std::to_string(threads_.size())}, {"error", e.what()}});
    return false;
  }
}

bool request_pool::push(std::unique_ptr<work>& w, bool bounded) {
  {
    const std::lock_guard lock(mutex_);
    if (stopping_ || (bounded && queue_.size() >= queue_max_)) return false;
    queue_.push_back(std::move(w));
    start_another();
  }
  wake_.notify_one();
  return true;
}

bool request_pool::submit(std::unique_ptr<work>& w) { return push(w, true); }
bool request_pool::submit_always(std::unique_ptr<work>& w) { return push(w, false); }

request_pool::reserve& request_pool::reserve_of(std::string_view plugin) {
  const auto found = reserves_.find(plugin);
  return found != reserves_.end() ? found->second : reserves_[std::string(plugin)];
}

void request_pool::start_reserved(reserve& of) {
  if (start("call", [this, &of] { serve_reserved(of); })) ++of.threads;
}

bool request_pool::submit_call(std::string_view plugin, std::unique_ptr<work>& w) {
  const std::lock_guard lock(mutex_);
  auto& to = reserve_of(plugin);
  if (stopping_ || to.calls.size() >= queue_max_) return false;
  to.calls.push_back(std::move(w));
  ++calls_;
  start_another();
  // A worker counts as free only when there is one for each piece of work that is queued: those were told to come.
  if (queue_.size() + calls_ <= idle_) {
    wake_.notify_one();
  } else if (to.calls.size() <= to.idle) {
    to.wake.notify_one();
  } else if (to.threads < reserved_workers) {
    start_reserved(to);
  }
  return true;
}

std::unique_ptr<work> request_pool::take(std::deque<std::unique_ptr<work>>& from) {
  auto first = std::move(from.front());
  from.pop_front();
  return first;
}

// Null: no call is queued. Which plugin comes first matters little: the reserves serve the others.
std::unique_ptr<work> request_pool::next_call() {
  if (calls_ == 0) return nullptr;
  for (auto& [plugin, one] : reserves_) {
    if (one.calls.empty()) continue;
    --calls_;
    return take(one.calls);
  }
  return nullptr;
}

// Calls first: somebody else's request waits for them with a worker in hand. Null: nothing is queued.
std::unique_ptr<work> request_pool::next() {
  if (auto call = next_call()) return call;
  return queue_.empty() ? nullptr : take(queue_);
}

// Of those that it may grow to, when all the others have work.
void request_pool::start_another() {
  if (threads_.size() < most_ && queue_.size() + calls_ > idle_) start(name_.substr(0, 15), [this] { serve(); });
}

// A worker that was told to come for one plugin's call may have taken another's: then that plugin's own must come.
void request_pool::cover() {
  if (calls_ == 0 || queue_.size() + calls_ <= idle_) return;
  for (auto& [plugin, one] : reserves_) {
    if (one.calls.empty()) continue;
    if (one.idle != 0)
      one.wake.notify_one();
    else if (one.threads < reserved_workers && !stopping_)
      start_reserved(one);
  }
}

void request_pool::serve() {
  std::unique_lock lock(mutex_);
  for (;;) {
    auto now = next();
    if (now != nullptr) cover();
    if (now == nullptr) {
      if (stopping_) return;
      ++idle_;
      wake_.wait(lock);
      --idle_;
      continue;
    }
    lock.unlock();
    now->run();
    now.reset();
    lock.lock();
  }
}

void request_pool::serve_reserved(reserve& of) {
  std::unique_lock lock(mutex_);
  for (;;) {
    if (of.calls.empty()) {
      if (stopping_) return;
      ++of.idle;
      of.wake.wait(lock);
      --of.idle;
      continue;
    }
    --calls_;
    auto now = take(of.calls);
    lock.unlock();
    now->run();
    now.reset();
    lock.lock();
  }
}

void request_pool::stop() {
  std::vector<std::thread> threads;
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    threads.swap(threads_);
    for (auto& [plugin, one] : reserves_) one.wake.notify_all();
  }
  wake_.notify_all();
  for (auto& t : threads) t.join();
}

}  // namespace gantry::runtime
