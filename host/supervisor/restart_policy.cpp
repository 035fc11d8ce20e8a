#include "supervisor/restart_policy.hpp"

#include <algorithm>

namespace gantry::supervisor {

std::optional<std::int64_t> restart_policy::died(std::int64_t now_us, double chance) {
  while (!restarts_.empty() && now_us - restarts_.front() >= limits_.window_us) restarts_.pop_front();
  if (restarts_.size() >= limits_.max_restarts) return std::nullopt;
  auto pause = restarts_.empty() ? limits_.first_pause_us : limits_.second_pause_us;
  for (std::size_t i = 1; i < restarts_.size() && pause < limits_.longest_pause_us; ++i) pause *= 3;
  pause = std::min(pause, limits_.longest_pause_us);
  restarts_.push_back(now_us);
  // Processes that died together do not come back together.
  return pause / 2 + static_cast<std::int64_t>(chance * static_cast<double>(pause - pause / 2));
}

}  // namespace gantry::supervisor
