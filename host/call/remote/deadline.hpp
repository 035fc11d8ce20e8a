// Until when something may last, by the clock that was passed in, or until it is called off.
// Thread: any.
#pragma once

#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdint>

#include "base/clock.hpp"

namespace gantry::call {

// Ends what waits by a deadline that knows of it, once and for good.
class calling_off {
 public:
  calling_off() noexcept : event_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}
  ~calling_off() {
    if (event_ >= 0) close(event_);
  }
  calling_off(const calling_off&) = delete;
  calling_off& operator=(const calling_off&) = delete;

  void now() noexcept {
    done_.store(true);
    if (event_ >= 0) eventfd_write(event_, 1);
  }
  bool done() const noexcept { return done_.load(); }
  // Readable once it is called off. -1, which poll passes over: the system gave none, so who waits does so to its end.
  int event() const noexcept { return event_; }

 private:
  const int event_;
  std::atomic<bool> done_{false};
};

class deadline {
 public:
  // `at_us` as time.steady_us() counts. The clock must outlive this, as must `off`.
  deadline(const clock& time, std::int64_t at_us, const calling_off* off = nullptr) noexcept
      : time_(&time), at_us_(at_us), off_(off) {}

  std::int64_t at_us() const noexcept { return at_us_; }
  std::int64_t left_us() const noexcept {
    return called_off() ? 0 : std::max<std::int64_t>(0, at_us_ - time_->steady_us());
  }
  bool passed() const noexcept { return left_us() == 0; }
  bool called_off() const noexcept { return off_ != nullptr && off_->done(); }
  // To poll beside what is waited for; -1: it can't be called off.
  int off_event() const noexcept { return off_ == nullptr ? -1 : off_->event(); }

  // The earlier of this and `us` from now.
  deadline at_most(std::int64_t us) const noexcept { return {*time_, std::min(at_us_, time_->steady_us() + us), off_}; }

 private:
  const clock* time_;
  std::int64_t at_us_;
  const calling_off* off_;
};

}  // namespace gantry::call
