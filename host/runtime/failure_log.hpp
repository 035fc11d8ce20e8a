// What plugin code has failed with: which failures get a line of the log, and the text of the first one.
// Owned by an instance. Thread: any.
#pragma once

#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace gantry::runtime {

class failure_log {
 public:
  // Notes a failure. With a value a line is due, at most one a second; it is the number of failures since the line
  // before that had none.
  std::optional<std::uint64_t> note(std::int64_t now_us, std::string_view text) {
    const std::lock_guard lock(mutex_);
    if (first_.empty()) first_ = text;
    if (next_us_ != 0 && now_us < next_us_) {
      ++silent_;
      return std::nullopt;
    }
    next_us_ = now_us + between_lines_us;
    return std::exchange(silent_, 0);
  }
  // For what has a line of its own.
  void keep(std::string_view text) {
    const std::lock_guard lock(mutex_);
    if (first_.empty()) first_ = text;
  }
  // Empty: none was noted.
  std::string first() const {
    const std::lock_guard lock(mutex_);
    return first_;
  }

 private:
  static constexpr std::int64_t between_lines_us = 1'000'000;

  mutable std::mutex mutex_;
  std::int64_t next_us_ = 0;  // guarded by mutex_
  std::uint64_t silent_ = 0;  // guarded by mutex_
  std::string first_;         // guarded by mutex_
};

}  // namespace gantry::runtime
