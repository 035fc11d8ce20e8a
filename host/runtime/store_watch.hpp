// Whether a shared store answers, as its lane finds out when it keeps its place among the hosts there: who has nothing
// else to do notices too. Says once that the store has gone, and once that it is back.
// Owned by a lane. Thread: any; questions come from one at a time.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>

namespace gantry::runtime {

class store_watch {
 public:
  enum class news { none, gone, back };

  // A question is on its way from here until its destructor.
  class question {
   public:
    question(store_watch& watch, std::int64_t now_us) : watch_(watch) {
      watch_.asked_us_.store(now_us, std::memory_order_relaxed);
    }
    ~question() { watch_.asked_us_.store(0, std::memory_order_relaxed); }
    question(const question&) = delete;
    question& operator=(const question&) = delete;

   private:
    store_watch& watch_;
  };

  // A look at the store has failed. One alone may be a connection that was cut: the next one makes another.
  news missed(std::string_view why) {
    const std::lock_guard lock(mutex_);
    if (++misses_ < enough_misses) return news::none;
    return note(why);
  }
  // It has answered.
  news heard() {
    const std::lock_guard lock(mutex_);
    misses_ = 0;
    return std::exchange(reason_, {}).empty() ? news::none : news::back;
  }
  // Notices a question that stays without an answer.
  news look(std::int64_t now_us) {
    const auto asked = asked_us_.load(std::memory_order_relaxed);
    if (asked == 0 || now_us - asked < longest_answer_us) return news::none;
    const std::lock_guard lock(mutex_);
    return note("no answer for " + std::to_string((now_us - asked) / 1'000'000) + " s");
  }

  // Why it can't be reached; empty: it can.
  std::string reason() const {
    const std::lock_guard lock(mutex_);
    return reason_;
  }

 private:
  static constexpr int enough_misses = 2;  // in a row
  static constexpr std::int64_t longest_answer_us = 5'000'000;

  // With mutex_ held.
  news note(std::string_view why) {
    const bool known = !reason_.empty();
    reason_ = why;
    return known ? news::none : news::gone;
  }

  std::atomic<std::int64_t> asked_us_{0};  // since when a question waits; 0: none does
  mutable std::mutex mutex_;
  int misses_ = 0;      // guarded by mutex_
  std::string reason_;  // guarded by mutex_
};

}  // namespace gantry::runtime
