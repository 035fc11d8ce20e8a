// How old what a store keeps for a time may be: a clock that is never ahead of what has really passed, so that nothing
// is forgotten too early because somebody has set the machine's clock.
//
// It begins at the machine's time, but no later than the newest thing that is kept, and goes on with the steady clock.
// So a clock that jumps, or was wrong at a start, erases nothing; the time during which the process did not run does
// not count either. Where hosts share a store each has its own: what is forgotten counts on it, and what is kept is
// stamped by the time of all. Owned by a lane. Thread: the lane's.
#pragma once

#include <algorithm>
#include <cstdint>

#include "base/clock.hpp"

namespace gantry::runtime {

class age_clock {
 public:
  explicit age_clock(const clock& time) : clock_(time), begun_(time.steady_us()), base_(time.wall_us()) {}

  // `now_us`: the time as far as it can be known. `newest_us`: of the newest thing that is kept; 0: nothing is.
  void begin(std::int64_t now_us, std::int64_t newest_us) {
    begun_ = clock_.steady_us();
    base_ = newest_us == 0 ? now_us : std::min(now_us, newest_us);
  }

  // Microseconds since 1970, or fewer.
  std::int64_t now_us() const { return base_ + (clock_.steady_us() - begun_); }

 private:
  const clock& clock_;
  std::int64_t begun_;
  std::int64_t base_;
};

}  // namespace gantry::runtime
