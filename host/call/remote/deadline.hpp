// Until when something may last, by the clock that was passed in.
// Thread: any.
#pragma once

#include <algorithm>
#include <cstdint>

#include "base/clock.hpp"

namespace gantry::call {

class deadline {
 public:
  // `at_us` as time.steady_us() counts. The clock must outlive this.
  deadline(const clock& time, std::int64_t at_us) noexcept : time_(&time), at_us_(at_us) {}

  std::int64_t at_us() const noexcept { return at_us_; }
  std::int64_t left_us() const noexcept { return std::max<std::int64_t>(0, at_us_ - time_->steady_us()); }
  bool passed() const noexcept { return left_us() == 0; }

  // The earlier of this and `us` from now.
  deadline at_most(std::int64_t us) const noexcept { return {*time_, std::min(at_us_, time_->steady_us() + us)}; }

 private:
  const clock* time_;
  std::int64_t at_us_;
};

}  // namespace gantry::call
