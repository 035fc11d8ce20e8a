// Notices that the process, or its machine, stood still: nobody looked at the clock for long.
//
// Several threads look, so one that is busy for long is not taken for it: the first to look after a standstill notes it.
// Owned by a lane. Thread: any.
#pragma once

#include <cstdint>
#include <mutex>
#include <utility>

namespace gantry::runtime {

class standstill {
 public:
  // Looks at a monotonic clock that shows `now_us`.
  void look(std::int64_t now_us) {
    const std::lock_guard lock(mutex_);
    if (now_us <= last_us_) return;
    if (last_us_ != 0 && now_us - last_us_ > longest_pause_us && since_us_ == 0) since_us_ = last_us_;
    last_us_ = now_us;
  }

  // Since when it stood still, if it did after the last call; 0: it did not.
  std::int64_t take() {
    const std::lock_guard lock(mutex_);
    return std::exchange(since_us_, 0);
  }

 private:
  // A host that is overloaded is late by less.
  static constexpr std::int64_t longest_pause_us = 2'000'000;

  std::mutex mutex_;
  std::int64_t last_us_ = 0;   // guarded by mutex_
  std::int64_t since_us_ = 0;  // guarded by mutex_
};

}  // namespace gantry::runtime
