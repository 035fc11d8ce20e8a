// Timers of one lane, by kind and key. Arming and disarming cost a hash look-up, whatever the number of timers:
// a saga arms and disarms a timer for every step, and nearly none of them ever fires.
// Owned by a lane. Thread: the lane's.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace gantry::runtime {

class timer_wheel {
 public:
  static constexpr std::int64_t tick_us = 50'000;

  struct fired {
    std::uint32_t kind = 0;
    std::string key;
  };

  // Fires at `due_us` or up to one tick later; replaces a timer of the same kind and key.
  void arm(std::uint32_t kind, std::string_view key, std::int64_t due_us);

  // Counts from when `ticket` is acknowledged: see acknowledged(). Tickets grow from call to call, but for UINT64_MAX, which
  // waits behind all others.
  void arm_after(std::uint64_t ticket, std::uint32_t kind, std::string_view key, std::int64_t delay_us);

  void disarm(std::uint32_t kind, std::string_view key);
  bool has(std::uint32_t kind, std::string_view key) { return timers_.find(name_of(kind, key)) != timers_.end(); }

  // Starts the timers that waited for tickets up to this one.
  void acknowledged(std::uint64_t ticket, std::int64_t now_us);

  // Moves timers that are due to `out`.
  void advance(std::int64_t now_us, std::vector<fired>& out);

  std::size_t size() const noexcept { return timers_.size(); }
  bool waits_for_ticket() const noexcept { return !waiting_.empty() || !waiting_last_.empty(); }

 private:
  static constexpr std::size_t slots = 1024;
  struct timer {
    std::int64_t due_us = 0;
    std::uint64_t ticket = 0;  // not zero: not yet counting
    std::uint64_t arming = 0;  // tells this arming from earlier ones of the same ticket
    timer* previous = nullptr;
    timer* next = nullptr;
    const std::string* name = nullptr;
  };
  struct waiting {
    std::uint64_t ticket;
    std::uint64_t arming;
    std::int64_t delay_us;
    std::string name;
  };
  struct text_hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view s) const noexcept { return std::hash<std::string_view>{}(s); }
  };

  timer& entry(std::uint32_t kind, std::string_view key);
  void link(timer& t);
  void unlink(timer& t);
  void start(const waiting& w, std::int64_t now_us);
  static std::size_t slot_of(std::int64_t due_us) noexcept {
    return static_cast<std::size_t>((due_us + tick_us - 1) / tick_us) % slots;
  }
  std::string_view name_of(std::uint32_t kind, std::string_view key);

  std::unordered_map<std::string, timer, text_hash, std::equal_to<>> timers_;
  std::vector<timer*> wheel_ = std::vector<timer*>(slots, nullptr);
  std::deque<waiting> waiting_;
  std::deque<waiting> waiting_last_;  // for the ticket UINT64_MAX
  std::uint64_t armings_ = 0;
  std::int64_t last_tick_ = -1;
  std::string scratch_;
};

}  // namespace gantry::runtime
