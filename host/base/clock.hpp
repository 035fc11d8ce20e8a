// Time, passed in so that tests decide what it is.
// Thread: any.
#pragma once

#include <cstdint>

namespace gantry {

class clock {
 public:
  clock() = default;
  clock(const clock&) = delete;
  clock& operator=(const clock&) = delete;
  virtual ~clock() = default;

  // Microseconds since 1970-01-01T00:00:00Z. May jump when the machine's clock is set.
  virtual std::int64_t wall_us() const noexcept = 0;

  // Microseconds since some moment; never goes back. Deadlines and delays count on this.
  virtual std::int64_t steady_us() const noexcept = 0;
};

// The machine's own clocks. Lives as long as the process.
const clock& system_clock() noexcept;

}  // namespace gantry
