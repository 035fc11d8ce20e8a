#include "store/write_health.hpp"

#include <utility>

namespace gantry::store {

void write_health::stop(std::string reason) {
  const std::lock_guard lock(mutex_);
  if (reason_.empty()) reason_ = std::move(reason);
  stopped_.store(true, std::memory_order_release);
}

std::string write_health::reason() const {
  const std::lock_guard lock(mutex_);
  return reason_;
}

}  // namespace gantry::store
