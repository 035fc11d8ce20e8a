// What time it is by the server of a shared store, which all of its hosts can ask.
// Thread: that of the session.
#pragma once

#include <cstdint>
#include <optional>

#include "base/clock.hpp"
#include "store/store.hpp"

namespace gantry::runtime {

struct server_time {
  std::int64_t now_us = 0;        // since 1970
  std::int64_t ahead_us = 0;      // by how much the machine's clock is ahead of it; negative: behind
  std::int64_t uncertain_us = 0;  // that may be wrong by as much: half of what the question took
};

// In a snapshot of its own. None: the server does not answer.
std::optional<server_time> ask_server_time(store::session& session, const clock& time);

// What to take off the machine's clock for times that other hosts will read in the store: nothing while it is about
// right, so that these times don't tremble with every measurement.
inline std::int64_t correction_us(const server_time& at) noexcept {
  const auto far = at.ahead_us < 0 ? -at.ahead_us : at.ahead_us;
  return far - at.uncertain_us > 1'000'000 ? at.ahead_us : 0;
}

// Beyond this the clocks of a topology's hosts count as wrong.
inline constexpr std::int64_t clock_skew_allowed_us = 5'000'000;

// Says once that the machine's clock is wrong, and once that it is right again.
class skew_watch {
 public:
  enum class news { none, wrong, right };
  news look(const server_time& at) noexcept;

 private:
  bool wrong_ = false;
};

}  // namespace gantry::runtime
