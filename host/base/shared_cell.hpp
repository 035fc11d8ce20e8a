// A shared_ptr that some threads replace while others take copies of it. Thread: any.
//
// In place of std::atomic<std::shared_ptr>: that of GCC 12 gives its lock back relaxed after a load, so a store does not
// wait for what the load has read (libstdc++, bits/shared_ptr_atomic.h).
#pragma once

#include <memory>
#include <mutex>
#include <utility>

namespace gantry {

template <typename T>
class shared_cell {
 public:
  explicit shared_cell(std::shared_ptr<T> value) : value_(std::move(value)) {}
  shared_cell(const shared_cell&) = delete;
  shared_cell& operator=(const shared_cell&) = delete;

  std::shared_ptr<T> load() const {
    const std::lock_guard lock(mutex_);
    return value_;
  }
  // What was there before ends, if nobody else has it, in the parameter: without the lock.
  void store(std::shared_ptr<T> value) {
    const std::lock_guard lock(mutex_);
    value_.swap(value);
  }

 private:
  mutable std::mutex mutex_;
  std::shared_ptr<T> value_;
};

}  // namespace gantry
