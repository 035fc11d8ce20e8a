// Which appended tickets are still under way, and how much memory they hold.
// Owned by a producer. Thread: one at a time.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>

namespace gantry::bus::kafka {

class in_flight {
 public:
  // Adds an append; returns the number by which its messages are settled.
  std::uint64_t add(std::uint64_t ticket, std::uint64_t messages, std::uint64_t bytes);

  // One message of this append was acknowledged.
  void settle(std::uint64_t number);

  // The highest ticket of which, and before which, all is acknowledged; none when that is the same as the last time.
  std::optional<std::uint64_t> take_acknowledged();

  bool empty() const noexcept { return appends_.empty(); }
  std::uint64_t bytes() const noexcept { return bytes_; }
  // The lowest that is under way. Precondition: not empty().
  std::uint64_t lowest_ticket() const noexcept { return appends_.front().ticket; }

 private:
  struct append {
    std::uint64_t ticket = 0;
    std::uint64_t messages = 0;  // not acknowledged
    std::uint64_t bytes = 0;
  };
  std::deque<append> appends_;
  std::uint64_t first_ = 0;  // the number of the front
  std::uint64_t bytes_ = 0;
};

}  // namespace gantry::bus::kafka
