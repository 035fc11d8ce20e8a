// A circuit breaker: after 5 failures in a row it opens for 30 s, then lets one attempt through; after 1 s, where the last
// failure may have been the attempt's own fault.
// Not thread-safe by itself. Time is steady microseconds.
#pragma once

#include <cstdint>

namespace gantry::call {

class breaker {
 public:
  static constexpr std::uint32_t failures_to_open = 5;
  static constexpr std::int64_t open_us = 30'000'000;
  static constexpr std::int64_t open_in_doubt_us = 1'000'000;

  // True when an attempt may be made now. After the pause only one is let through until it is reported.
  bool allows(std::int64_t now_us) noexcept {
    if (failures_ < failures_to_open) return true;
    if (now_us < open_until_us_ || probing_) return false;
    probing_ = true;
    return true;
  }
  void succeeded() noexcept {
    failures_ = 0;
    probing_ = false;
  }
  // `doubtful`: the target may be well, and this attempt one that fails with any.
  void failed(std::int64_t now_us, bool doubtful = false) noexcept {
    probing_ = false;
    if (++failures_ >= failures_to_open) open_until_us_ = now_us + (doubtful ? open_in_doubt_us : open_us);
  }
  // The attempt ended without saying anything about the target; the next one may try.
  void undecided() noexcept { probing_ = false; }
  bool open(std::int64_t now_us) const noexcept { return failures_ >= failures_to_open && now_us < open_until_us_; }
  // Whether the next attempt shows how the target is.
  bool in_question() const noexcept { return failures_ >= failures_to_open; }
  std::int64_t opens_again_at_us() const noexcept { return open_until_us_; }

 private:
  std::uint32_t failures_ = 0;
  std::int64_t open_until_us_ = 0;
  bool probing_ = false;
};

}  // namespace gantry::call
