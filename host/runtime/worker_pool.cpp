#include "runtime/worker_pool.hpp"

#include <pthread.h>

#include <system_error>

#include "observability/log.hpp"

namespace gantry::runtime {

worker_pool::worker_pool(std::size_t threads, std::string name) : name_(std::move(name)) {
  for (std::size_t i = 0; i < threads; ++i) grow();
}

worker_pool::~worker_pool() { stop(); }

void worker_pool::grow() {
  const std::lock_guard lock(mutex_);
  if (stopping_) return;
  try {
    threads_.emplace_back([this] {
      pthread_setname_np(pthread_self(), name_.substr(0, 15).c_str());
      work();
    });
  } catch (const std::system_error& e) {
    // Those that are there do the work; none would be a host that does nothing.
    if (threads_.empty()) throw;
    observability::log_error("The system gives no thread for another worker.", {{"pool", name_}, {"error", e.what()}});
  }
}

void worker_pool::schedule(task& t) {
  auto seen = t.state_.load(std::memory_order_acquire);
  for (;;) {
    switch (seen) {
      case task::state::idle:
        if (!t.state_.compare_exchange_weak(seen, task::state::queued)) continue;
        {
          const std::lock_guard lock(mutex_);
          queue_.push_back(&t);
        }
        wake_.notify_one();
        return;
      case task::state::running:
        if (!t.state_.compare_exchange_weak(seen, task::state::running_again)) continue;
        return;
      case task::state::queued:
      case task::state::running_again:
        // A read-modify-write keeps the order with the worker's own exchange: what the caller did before is seen.
        if (!t.state_.compare_exchange_weak(seen, seen)) continue;
        return;
    }
  }
}

void worker_pool::work() {
  std::unique_lock lock(mutex_);
  for (;;) {
    wake_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
    if (stopping_) return;
    task& t = *queue_.front();
    queue_.pop_front();
    lock.unlock();
    t.state_.exchange(task::state::running);
    t.run();
    lock.lock();
    auto expected = task::state::running;
    if (!t.state_.compare_exchange_strong(expected, task::state::idle)) {
      t.state_.store(task::state::queued);
      queue_.push_back(&t);
    } else {
      idle_.notify_all();
    }
  }
}

void worker_pool::quiesce(task& t) {
  std::unique_lock lock(mutex_);
  idle_.wait(lock, [&] { return stopping_ || t.state_.load() == task::state::idle; });
}

void worker_pool::stop() {
  std::vector<std::thread> threads;
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    threads.swap(threads_);
  }
  wake_.notify_all();
  idle_.notify_all();
  for (auto& t : threads) t.join();
}

}  // namespace gantry::runtime
