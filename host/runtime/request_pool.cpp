#include "runtime/request_pool.hpp"

#include <pthread.h>

namespace gantry::runtime {

request_pool::request_pool(std::size_t threads, std::size_t queue_max, std::string name)
    : queue_max_(queue_max), name_(std::move(name)) {
  for (std::size_t i = 0; i < threads; ++i) grow();
}

request_pool::~request_pool() { stop(); }

void request_pool::grow() {
  const std::lock_guard lock(mutex_);
  if (stopping_) return;
  threads_.emplace_back([this] {
    pthread_setname_np(pthread_self(), name_.substr(0, 15).c_str());
    serve();
  });
}

bool request_pool::push(std::unique_ptr<work>& w, bool bounded) {
  {
    const std::lock_guard lock(mutex_);
    if (stopping_ || (bounded && queue_.size() >= queue_max_)) return false;
    queue_.push_back(std::move(w));
  }
  wake_.notify_one();
  return true;
}

bool request_pool::submit(std::unique_ptr<work>& w) { return push(w, true); }
bool request_pool::submit_always(std::unique_ptr<work>& w) { return push(w, false); }

void request_pool::serve() {
  std::unique_lock lock(mutex_);
  for (;;) {
    wake_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
    if (queue_.empty()) return;
    auto next = std::move(queue_.front());
    queue_.pop_front();
    lock.unlock();
    next->run();
    next.reset();
    lock.lock();
  }
}

void request_pool::stop() {
  std::vector<std::thread> threads;
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    threads.swap(threads_);
  }
  wake_.notify_all();
  for (auto& t : threads) t.join();
}

}  // namespace gantry::runtime
