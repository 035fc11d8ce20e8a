// The log of a test, line by line.
#pragma once

#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "observability/log.hpp"

namespace gantry::testing {

class kept_log {
 public:
  kept_log() {
    observability::log_options o;
    o.format = observability::log_format::json;
    o.sink = [this](std::string_view line) {
      const std::lock_guard lock(mutex_);
      lines_.emplace_back(line);
    };
    observability::open_log(std::move(o));
  }
  ~kept_log() { observability::close_log(); }
  kept_log(const kept_log&) = delete;
  kept_log& operator=(const kept_log&) = delete;

  // Lines with these words that came since the last call.
  std::vector<std::string> take(std::string_view words) {
    observability::flush_log();
    const std::lock_guard lock(mutex_);
    std::erase_if(lines_, [&](const auto& line) { return line.find(words) == std::string::npos; });
    return std::exchange(lines_, {});
  }

 private:
  std::mutex mutex_;
  std::vector<std::string> lines_;  // guarded by mutex_
};

}  // namespace gantry::testing
