#include "admin/worker.hpp"

#include <exception>

#include "observability/log.hpp"

namespace gantry::admin {

worker::~worker() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  thread_.join();
}

bool worker::submit(std::function<void()>&& what) {
  {
    const std::lock_guard lock(mutex_);
    if (queue_.size() >= queue_max_) return false;
    queue_.push_back(std::move(what));
  }
  wake_.notify_one();
  return true;
}

void worker::run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    wake_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
    if (stopping_) return;
    auto what = std::move(queue_.front());
    queue_.pop_front();
    lock.unlock();
    // The request that it belongs to is answered when its responder goes.
    try {
      what();
    } catch (const std::exception& e) {
      observability::log_error("An operation ended with an exception.", {{"error", e.what()}});
    }
    what = nullptr;
    lock.lock();
  }
}

}  // namespace gantry::admin
