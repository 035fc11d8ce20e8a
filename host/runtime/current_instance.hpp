// The generation that does a plugin's work now. A swap changes it while nothing of the plugin's lane runs.
// Owned by the lane and by the job board. Thread: any; a pointer that was read stays good, because a generation is
// destroyed only when no lane run, request or job that may have read it is left.
#pragma once

#include <atomic>

namespace gantry::runtime {
class instance;

class current_instance {
 public:
  explicit current_instance(instance& first) noexcept : at_(&first) {}
  instance* operator->() const noexcept { return at_.load(std::memory_order_acquire); }
  instance& operator*() const noexcept { return *at_.load(std::memory_order_acquire); }
  void become(instance& next) noexcept { at_.store(&next, std::memory_order_release); }

 private:
  std::atomic<instance*> at_;
};

}  // namespace gantry::runtime
