// What a process that has just been killed had open - a port, a file - is free a moment later. Until this process has
// been there for as long as that may take, it is asked for again. Thread: main.
#pragma once

#include <chrono>
#include <functional>
#include <thread>
#include <utility>

#include "base/result.hpp"

namespace gantry::app {

class former_life {
 public:
  // `asked_to_end`: true gives up; may be empty.
  explicit former_life(std::function<bool()> asked_to_end) : asked_to_end_(std::move(asked_to_end)) {}

  // What `open` returns, a result: the first that is not a conflict, or the last.
  template <typename Open>
  auto once_free(const Open& open) const -> decltype(open()) {
    for (;;) {
      auto out = open();
      if (out || out.failure().code != errc::conflict || std::chrono::steady_clock::now() >= gone_by_ ||
          (asked_to_end_ && asked_to_end_()))
        return out;
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
  }

 private:
  const std::function<bool()> asked_to_end_;
  const std::chrono::steady_clock::time_point gone_by_ = std::chrono::steady_clock::now() + std::chrono::seconds(2);
};

}  // namespace gantry::app
