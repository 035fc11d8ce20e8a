// What time it is by the server of a shared store, which all of its hosts can ask, and the time that they keep to.
// Thread: that of the session, but for common_time.
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>

#include "base/clock.hpp"
#include "store/store.hpp"

namespace gantry::runtime {

struct server_time {
  std::int64_t now_us = 0;        // since 1970
  std::int64_t ahead_us = 0;      // by how much the machine's clock is ahead of it; negative: behind
  std::int64_t uncertain_us = 0;  // that may be wrong by as much: half of what the question took
  std::int64_t steady_us = 0;     // when that was, on the machine's steady clock

  // Of the machine's clock to its steady one: changes when somebody sets the clock.
  std::int64_t machine_offset_us() const noexcept { return now_us + ahead_us - steady_us; }
};

// In a snapshot of its own. None: the server does not answer.
std::optional<server_time> ask_server_time(store::session& session, const clock& time);

// The time for all that other hosts will read in the store. It goes on with the steady clock from the last answer of
// the server, so that setting the machine's clock changes nothing. While that clock is about right it goes on from
// there, so that times don't tremble with every measurement. Thread: any.
class common_time {
 public:
  void set(const server_time& at) noexcept {
    const auto far = at.ahead_us < 0 ? -at.ahead_us : at.ahead_us;
    offset_us_.store(far - at.uncertain_us > 1'000'000 ? at.now_us - at.steady_us : at.machine_offset_us(),
                     std::memory_order_relaxed);
  }
  void set(const common_time& other) noexcept {
    offset_us_.store(other.offset_us_.load(std::memory_order_relaxed), std::memory_order_relaxed);
  }
  // Microseconds since 1970; before the first answer, or where nobody is asked, the machine's.
  std::int64_t now_us(const clock& time) const noexcept {
    const auto offset = offset_us_.load(std::memory_order_relaxed);
    return offset == unknown ? time.wall_us() : time.steady_us() + offset;
  }

 private:
  static constexpr std::int64_t unknown = INT64_MIN;
  std::atomic<std::int64_t> offset_us_{unknown};
};

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
