// When a process that died is started again: after a growing pause with jitter, and not for ever.
// Owned by the supervisor. Not thread-safe. Time is steady microseconds, chance a number from 0 to 1: both passed in.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>

namespace gantry::supervisor {

struct restart_limits {
  std::uint64_t max_restarts = 5;  // within the window; one more gives up
  std::int64_t window_us = 60'000'000;
  std::int64_t first_pause_us = 100'000;  // doubled with each restart within the window
  std::int64_t longest_pause_us = 10'000'000;
};

class restart_policy {
 public:
  explicit restart_policy(const restart_limits& limits) : limits_(limits) {}

  // The process died at `now_us`. The pause until the next start, between half and the whole of what the count asks
  // for; nothing: it died too often.
  std::optional<std::int64_t> died(std::int64_t now_us, double chance);

 private:
  const restart_limits limits_;
  std::deque<std::int64_t> restarts_;  // within the window
};

}  // namespace gantry::supervisor
