#include "runtime/watch.hpp"

#include <gtest/gtest.h>

#include <condition_variable>
#include <csignal>
#include <functional>
#include <latch>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "bench.hpp"
#include "blackbox/box.hpp"
#include "blackbox/stack.hpp"
#include "kept_log.hpp"

namespace gantry::testing {
namespace {

using runtime::work_watch;

constexpr std::int64_t second = 1'000'000;

// A thread that does what it is told, step by step.
class worker {
 public:
  worker() : thread_([this] { run(); }) {}
  ~worker() {
    tell({});
    thread_.join();
  }
  worker(const worker&) = delete;
  worker& operator=(const worker&) = delete;

  // Returns when it has done it.
  void does(std::function<void()> what) {
    std::latch done(1);
    tell([&] {
      what();
      done.count_down();
    });
    done.wait();
  }

 private:
  void tell(std::function<void()> what) {
    {
      const std::lock_guard lock(mutex_);
      told_ = true;
      what_ = std::move(what);
    }
    some_.notify_one();
  }
  void run() {
    while (true) {
      std::unique_lock lock(mutex_);
      some_.wait(lock, [this] { return told_; });
      told_ = false;
      const auto what = std::exchange(what_, {});
      lock.unlock();
      if (!what) return;
      what();
    }
  }

  std::mutex mutex_;
  std::condition_variable some_;
  bool told_ = false;           // guarded by mutex_
  std::function<void()> what_;  // likewise; empty: the end
  std::thread thread_;
};

class WorkWatchTest : public ::testing::Test {
 protected:
  void SetUp() override {
    blackbox::answer_stack_questions();
    auto around = b.plugin->around;
    around.watch = &watch;
    plugin = make_plugin(plays, around, *b.events);
    other = make_plugin(plays, around, *b.events, 2);
    for (auto* who : {plugin.get(), other.get()}) {
      who->stall_after_us = 5 * second;
      who->stall_kill_after_us = 25 * second;
      watch.add(*who);
    }
  }
  void TearDown() override {
    watch.remove(*other);
    watch.remove(*plugin);
    end_plugin(other);
    end_plugin(plugin);
  }

  void enter(runtime::instance& who, const blackbox::work& what = event) {
    hand.does([&] { stays.emplace_back(std::make_unique<runtime::watched_work>(who, what)); });
  }
  void come_back() {
    hand.does([&] { stays.pop_back(); });
  }
  void wait_for_host(bool begins) {
    hand.does([&] { begins ? static_cast<void>(waits.emplace()) : waits.reset(); });
  }
  // For what has a deadline of its own.
  void wait_elsewhere(runtime::instance& who, bool begins) {
    hand.does([&] { begins ? static_cast<void>(elsewhere.emplace(who)) : elsewhere.reset(); });
  }
  // With looks as often as usual.
  void pass(std::int64_t us) {
    for (std::int64_t done = 0; done < us; done += step) {
      b.time.pass(step);
      watch.tick();
    }
  }

  static constexpr std::int64_t step = second / 10;
  static constexpr blackbox::work event{.kind = runtime::work_kind::event};
  script plays;
  bench b{plays};
  const std::unique_ptr<blackbox::box> notes = blackbox::box::in_memory();
  std::vector<runtime::work_kind> replaced;
  work_watch watch{b.time, *notes, [this](runtime::work_kind kind) { replaced.push_back(kind); }};
  std::shared_ptr<runtime::instance> plugin;
  std::shared_ptr<runtime::instance> other;
  std::vector<std::unique_ptr<runtime::watched_work>> stays;  // the worker's
  std::optional<blackbox::host_time> waits;                   // likewise
  std::optional<runtime::watched_wait> elsewhere;             // likewise
  worker hand;
};

constexpr std::string_view hangs = "A plugin does not come back.";
constexpr std::string_view ended = "A plugin does not come back, and the process is ended for it.";

TEST_F(WorkWatchTest, WhoHangsIsToldOf) {
  kept_log log;
  enter(*plugin);
  pass(4 * second);
  EXPECT_EQ(plugin->stalled.load(), 0U);
  pass(2 * second);
  EXPECT_EQ(plugin->stalled.load(), 1U);
  EXPECT_EQ(replaced.size(), 1U);
  auto told = log.take(hangs);
  ASSERT_EQ(told.size(), 1U);
  EXPECT_NE(told[0].find("\"level\":\"error\""), std::string::npos) << told[0];
  pass(18 * second);
  EXPECT_EQ(log.take(hangs).size(), 0U);
  come_back();
  watch.tick();
  EXPECT_EQ(plugin->stalled.load(), 0U);
  EXPECT_EQ(log.take("Work that hung has come back.").size(), 1U);
}

TEST_F(WorkWatchTest, WhoHangsForLongEndsTheProcess) {
  enter(*plugin);
  pass(24 * second);
  EXPECT_EXIT(pass(2 * second), ::testing::KilledBySignal(SIGABRT), std::string(ended));
  come_back();
}

TEST_F(WorkWatchTest, BehindAWaitThereIsAllOfTheTimeAgain) {
  enter(*plugin);
  wait_for_host(true);
  pass(60 * second);
  wait_for_host(false);
  pass(24 * second);
  EXPECT_EXIT(pass(2 * second), ::testing::KilledBySignal(SIGABRT), std::string(ended));
  come_back();
}

TEST_F(WorkWatchTest, WhoWaitsForTheHostIsNotTakenForAHang) {
  kept_log log;
  enter(*plugin);
  wait_for_host(true);
  pass(60 * second);
  EXPECT_EQ(plugin->stalled.load(), 1U);
  EXPECT_EQ(replaced.size(), 1U);
  auto told = log.take("A plugin");
  ASSERT_EQ(told.size(), 1U);
  EXPECT_NE(told[0].find("\"level\":\"warn\""), std::string::npos) << told[0];
  EXPECT_NE(told[0].find("waits long for its store"), std::string::npos) << told[0];
  wait_for_host(false);
  // On its own from here on, it has all of its time.
  pass(4 * second);
  EXPECT_EQ(log.take("A plugin").size(), 0U);
  pass(2 * second);
  EXPECT_EQ(log.take(hangs).size(), 1U);
  EXPECT_EQ(replaced.size(), 1U);
  come_back();
}

TEST_F(WorkWatchTest, WhoHasWaitedAndGoesOnIsNotSaidToHaveHung) {
  kept_log log;
  enter(*plugin);
  wait_for_host(true);
  pass(6 * second);
  wait_for_host(false);
  log.take("");
  come_back();
  watch.tick();
  EXPECT_EQ(log.take("Work that waited has gone on.").size(), 1U);
}

// A loop that asks the store all the time is no wait for the store.
TEST_F(WorkWatchTest, ShortWaitsDoNotHideALoop) {
  enter(*plugin);
  pass(6 * second);
  for (int i = 0; i < 180; ++i) {
    wait_for_host(true);
    pass(step);
    wait_for_host(false);
    pass(step);
  }
  EXPECT_EXIT(for (int i = 0; i < 20; ++i) pass(step), ::testing::KilledBySignal(SIGABRT), std::string(ended));
  come_back();
}

// In the other plugin's code the first one waits, and it is the same stay as before when that is over.
TEST_F(WorkWatchTest, WhoCallsAnotherPluginDoesNotBeginAnew) {
  kept_log log;
  enter(*plugin);
  wait_for_host(true);
  pass(26 * second);
  wait_for_host(false);
  log.take("");
  for (int i = 0; i < 30; ++i) {
    enter(*other);
    pass(second);
    come_back();
    pass(step);
  }
  EXPECT_EQ(log.take("").size(), 0U);
  EXPECT_EQ(plugin->stalled.load(), 1U);
  EXPECT_EQ(other->stalled.load(), 0U);
  EXPECT_EQ(replaced.size(), 1U);
  // The other one is told of for its own time.
  enter(*other);
  pass(6 * second);
  EXPECT_EQ(other->stalled.load(), 1U);
  EXPECT_EQ(log.take(hangs).size(), 1U);
  EXPECT_EQ(replaced.size(), 1U);
  come_back();
  come_back();
  watch.tick();
  EXPECT_EQ(plugin->stalled.load(), 0U);
  EXPECT_EQ(other->stalled.load(), 0U);
}

// What the other one waits is not the caller's own time, though the caller was never seen to wait.
TEST_F(WorkWatchTest, WhatTheOtherPluginWaitsIsNotTheCallersTime) {
  kept_log log;
  enter(*plugin);
  enter(*other);
  wait_for_host(true);
  pass(60 * second);
  EXPECT_EQ(log.take("waits long").size(), 1U);
  EXPECT_EQ(other->stalled.load(), 1U);
  wait_for_host(false);
  come_back();
  pass(4 * second);
  EXPECT_EQ(other->stalled.load(), 0U);
  EXPECT_EQ(plugin->stalled.load(), 0U);
  EXPECT_EQ(log.take(hangs).size(), 0U);
  pass(2 * second);
  EXPECT_EQ(log.take(hangs).size(), 1U);
  come_back();
}

TEST_F(WorkWatchTest, WhatTheCallerHasWaitedIsKeptWhileTheOtherPluginWaitsForAnotherHost) {
  kept_log log;
  enter(*plugin);
  wait_for_host(true);
  pass(60 * second);
  wait_for_host(false);
  enter(*other);
  pass(second);
  wait_elsewhere(*other, true);
  pass(6 * second);
  wait_elsewhere(*other, false);
  pass(4 * second);
  EXPECT_EQ(other->stalled.load(), 0U);
  come_back();
  log.take("");
  pass(4 * second);
  EXPECT_EQ(log.take("").size(), 0U);
  EXPECT_EQ(plugin->stalled.load(), 1U);
  come_back();
  watch.tick();
  EXPECT_EQ(plugin->stalled.load(), 0U);
}

TEST_F(WorkWatchTest, BehindAWaitForAnotherHostTheWorkBeginsAnew) {
  kept_log log;
  enter(*plugin);
  wait_for_host(true);
  pass(6 * second);
  wait_for_host(false);
  EXPECT_EQ(plugin->stalled.load(), 1U);
  wait_elsewhere(*plugin, true);
  pass(60 * second);
  EXPECT_EQ(plugin->stalled.load(), 0U);
  EXPECT_EQ(log.take("A plugin").size(), 1U);
  wait_elsewhere(*plugin, false);
  pass(4 * second);
  EXPECT_EQ(plugin->stalled.load(), 0U);
  come_back();
}

// The worker that is lost is the job's, whatever the code is that hangs; and it is lost once.
TEST_F(WorkWatchTest, TheWorkerOfTheOutermostWorkIsReplacedOnce) {
  constexpr blackbox::work job{.kind = runtime::work_kind::job};
  constexpr blackbox::work request{.kind = runtime::work_kind::request};
  enter(*plugin, job);
  for (int i = 0; i < 3; ++i) {
    enter(*other, request);
    pass(6 * second);
    come_back();
  }
  EXPECT_EQ(replaced, std::vector{runtime::work_kind::job});
  come_back();
  enter(*other, request);
  pass(6 * second);
  come_back();
  EXPECT_EQ(replaced, (std::vector{runtime::work_kind::job, runtime::work_kind::request}));
}

TEST_F(WorkWatchTest, TimeInWhichTheProcessStoodStillIsNobodysOwn) {
  kept_log log;
  enter(*plugin);
  pass(second);
  b.time.pass(60 * second);
  watch.tick();
  pass(3 * second);
  EXPECT_EQ(plugin->stalled.load(), 0U);
  pass(2 * second);
  EXPECT_EQ(log.take(hangs).size(), 1U);
  come_back();
  watch.tick();
  EXPECT_EQ(log.take("has come back").size(), 1U);
}

}  // namespace
}  // namespace gantry::testing
