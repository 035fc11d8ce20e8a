// Calls from other hosts in the request pool: before requests, and with workers of their own when none is free.
#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <future>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>

#include "../thread_famine.hpp"
#include "runtime/request_pool.hpp"

namespace gantry::runtime {
namespace {

class task final : public work {
 public:
  explicit task(std::function<void()> what) : what_(std::move(what)) {}
  void run() override { what_(); }

 private:
  std::function<void()> what_;
};

class RemotePoolTest : public ::testing::Test {
 protected:
  ~RemotePoolTest() override {
    release();
    pool.stop();
  }

  bool request(std::function<void()> what) {
    std::unique_ptr<work> w = std::make_unique<task>(std::move(what));
    return pool.submit(w);
  }
  bool call(const char* plugin, std::function<void()> what) {
    std::unique_ptr<work> w = std::make_unique<task>(std::move(what));
    return pool.submit_call(plugin, w);
  }
  // A task that holds its thread until release(); returns once it has one.
  template <typename Submit>
  void occupy(Submit submit) {
    auto begun = std::make_shared<std::promise<void>>();
    ASSERT_TRUE(submit([begun, open = open_] {
      begun->set_value();
      open.wait();
    }));
    begun->get_future().wait();
  }
  void release() {
    if (!std::exchange(released_, true)) gate_.set_value();
  }

  request_pool pool{1, 3, "request"};

 private:
  std::promise<void> gate_;
  std::shared_future<void> open_ = gate_.get_future().share();
  bool released_ = false;
};

TEST_F(RemotePoolTest, ACallRunsWhileRequestsHoldAllWorkers) {
  occupy([this](auto what) { return request(what); });
  std::promise<void> ran;
  ASSERT_TRUE(call("stock", [&] { ran.set_value(); }));
  ran.get_future().wait();
}

TEST_F(RemotePoolTest, CallsToOnePluginLeaveTheReserveOfOthersAlone) {
  occupy([this](auto what) { return request(what); });
  for (std::size_t i = 0; i < request_pool::reserved_workers; ++i)
    occupy([this](auto what) { return call("slow", what); });
  std::promise<void> ran;
  ASSERT_TRUE(call("stock", [&] { ran.set_value(); }));
  ran.get_future().wait();
}

TEST_F(RemotePoolTest, AFreeWorkerTakesACallBeforeTheRequestsThatWait) {
  std::promise<void> worker_has_it, worker_may_go, last;
  ASSERT_TRUE(request([&] {
    worker_has_it.set_value();
    worker_may_go.get_future().wait();
  }));
  worker_has_it.get_future().wait();
  for (std::size_t i = 0; i < request_pool::reserved_workers; ++i)
    occupy([this](auto what) { return call("slow", what); });
  std::string order;
  ASSERT_TRUE(request([&] {
    order += "request";
    last.set_value();
  }));
  // The plugin's reserve is busy, so this one waits for the worker.
  ASSERT_TRUE(call("slow", [&] { order += "call "; }));
  worker_may_go.set_value();
  last.get_future().wait();
  EXPECT_EQ(order, "call request");
}

TEST_F(RemotePoolTest, TheCallsThatWaitAreBoundedForEachPlugin) {
  occupy([this](auto what) { return request(what); });
  for (std::size_t i = 0; i < request_pool::reserved_workers; ++i)
    occupy([this](auto what) { return call("slow", what); });
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(call("slow", [] {}));
  EXPECT_FALSE(call("slow", [] {}));
  EXPECT_TRUE(call("stock", [] {}));
}

TEST_F(RemotePoolTest, WhatIsQueuedRunsBeforeThePoolEnds) {
  std::atomic<int> ran{0};
  occupy([this](auto what) { return request(what); });
  for (std::size_t i = 0; i < request_pool::reserved_workers; ++i)
    occupy([this](auto what) { return call("slow", what); });
  ASSERT_TRUE(call("slow", [&] { ++ran; }));
  ASSERT_TRUE(request([&] { ++ran; }));
  release();
  pool.stop();
  EXPECT_EQ(ran, 2);
  EXPECT_FALSE(call("slow", [] {}));
}

TEST_F(RemotePoolTest, WithoutAnotherThreadTheOthersDoItsWork) {
  occupy([this](auto what) { return request(what); });
  std::promise<void> ran;
  {
    const gantry::testing::thread_famine none;
    pool.grow();
    ASSERT_TRUE(call("stock", [&] { ran.set_value(); }));
  }
  release();
  ran.get_future().wait();
}

TEST_F(RemotePoolTest, TheReserveIsMadeWhenThereAreThreadsAgain) {
  occupy([this](auto what) { return request(what); });
  {
    const gantry::testing::thread_famine none;
    ASSERT_TRUE(call("stock", [] {}));
  }
  std::promise<void> ran;
  ASSERT_TRUE(call("stock", [&] { ran.set_value(); }));
  ran.get_future().wait();
}

TEST(RequestPoolTest, APoolWithoutAnyThreadIsNotMade) {
  const gantry::testing::thread_famine none;
  EXPECT_THROW(request_pool(2, 3, "request"), std::runtime_error);
}

}  // namespace
}  // namespace gantry::runtime
