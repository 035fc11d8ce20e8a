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
  // What died once is up again before its callers have waited long. What dies again waits for what it may lack: the
  // restarts that are allowed must outlast a counterpart that is away for some seconds.
  std::int64_t first_pause_us = 10'000;
  std::int64_t second_pause_us = 200'000;  // tripled with each further restart within the window
  std::int64_t longest_pause_us = 10'000'000;
};

class restart_policy {
 public:
  explicit restart_policy(const restart_limits& limits) : limits_(limits) {}

  // The process died at `now_us`. The pause until the next start, between half and the whole of what the count asks
  // for; nothing: it died too often.
  std::optional<std::int64_t> died(std::int64_t now_us, double chance);
  // As if it had never died.
  void forget() noexcept { restarts_.clear(); }

 private:
  const restart_limits limits_;
  std::deque<std::int64_t> restarts_;  // within the window
};

}  // namespace gantry::supervisor
