// Whether a store may still be written. Once stopped it stays so: after a failed sync nobody knows what is stored.
// Owned by a driver's store. Thread: any.
#pragma once

#include <atomic>
#include <mutex>
#include <string>

namespace gantry::store {

class write_health {
 public:
  // The first reason stays.
  void stop(std::string reason);
  bool stopped() const noexcept { return stopped_.load(std::memory_order_acquire); }
  std::string reason() const;

 private:
  std::atomic<bool> stopped_ = false;
  mutable std::mutex mutex_;
  std::string reason_;  // guarded by mutex_
};

}  // namespace gantry::store
