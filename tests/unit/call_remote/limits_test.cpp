// The bounds on connections and on calls that wait for one.
#include <gtest/gtest.h>

#include <thread>

#include "caller.hpp"
#include "service.hpp"

namespace gantry::call {
namespace {

class LimitsTest : public testing::Test {
 protected:
  LimitsTest() : order(one_connection()) { order.place({catalog.port()}); }

  static remote_options one_connection() {
    remote_options o;
    o.max_connections = 1;
    o.max_waiting = 2;
    return o;
  }
  std::thread call_later() {
    std::thread one([this] { EXPECT_EQ(order.get("/later").reply.body, "later"); });
    catalog.wait_for_later(1);
    return one;
  }
  void until_waiting(std::size_t count) const {
    while (order.figures().waiting != count) std::this_thread::yield();
  }

  service catalog;
  caller order;
};

TEST_F(LimitsTest, CallsWaitForAConnectionInTurn) {
  auto first = call_later();
  std::thread second([this] { EXPECT_EQ(order.get("/second").reply.body, "GET /second "); });
  until_waiting(1);
  std::thread third([this] { EXPECT_EQ(order.get("/third").reply.body, "GET /third "); });
  until_waiting(2);
  catalog.answer_later();
  first.join();
  second.join();
  third.join();
  EXPECT_EQ(catalog.last().target, "/third");
  EXPECT_EQ(order.figures().connected, 1U);
}

TEST_F(LimitsTest, AWaitEndsAtTheDeadline) {
  auto first = call_later();
  order.timeout_us = 20'000;
  const auto got = order.get("/p");
  EXPECT_EQ(got.status, GANTRY_TIMEOUT);
  EXPECT_NE(got.text.find("in use"), std::string::npos) << got.text;
  EXPECT_EQ(order.figures().failures, 0U) << "that says nothing about the host";
  catalog.answer_later();
  first.join();
}

TEST_F(LimitsTest, TheQueueIsBounded) {
  auto first = call_later();
  std::vector<std::thread> waiting;
  for (std::size_t i = 1; i <= 2; ++i) {
    waiting.emplace_back([this] { EXPECT_EQ(order.get("/p").status, GANTRY_OK); });
    until_waiting(i);
  }
  const auto got = order.get("/p");
  EXPECT_EQ(got.status, GANTRY_UNAVAILABLE);
  EXPECT_NE(got.text.find("2 calls wait"), std::string::npos) << got.text;
  catalog.answer_later();
  first.join();
  for (auto& one : waiting) one.join();
}

TEST_F(LimitsTest, AFullQueueAtOneReplicaSendsTheCallToAnother) {
  service other;
  remote_options none_waits;
  none_waits.max_connections = 1;
  none_waits.max_waiting = 0;
  order.calls = make_remote_calls(none_waits, system_clock());
  order.place({catalog.port()});
  auto first = call_later();
  order.place({catalog.port(), other.port()});
  for (int i = 0; i < 4; ++i) EXPECT_EQ(order.call("POST", "/p").status, GANTRY_OK);
  EXPECT_EQ(order.figures(0).failures, 0U);
  catalog.answer_later();
  first.join();
}

TEST(IdleTest, ConnectionsAreClosedAfterAWhile) {
  manual_clock time;
  service catalog;
  caller order({}, time);
  order.place({catalog.port()});
  order.get("/p");
  order.calls->close_idle();
  EXPECT_EQ(order.figures().idle, 1U);
  time.now_us += remote_options().idle_us;
  order.calls->close_idle();
  EXPECT_EQ(order.figures().idle, 0U);
  EXPECT_EQ(order.figures().open, 0U);
  EXPECT_EQ(order.get("/p").status, GANTRY_OK);
  EXPECT_EQ(order.figures().connected, 2U);
}

TEST(BusyTest, AReplyThatIsTooLargeLeavesTheHostInPlace) {
  service catalog;
  remote_options small;
  small.max_body = 1000;
  caller order(small);
  order.place({catalog.port()});
  for (int i = 0; i < 10; ++i) EXPECT_EQ(order.get("/large").status, GANTRY_TOO_LARGE);
  EXPECT_EQ(order.get("/p").status, GANTRY_OK);
}

TEST(DrainTest, AHostThatDrainsLosesNoCall) {
  service a("a"), b("b");
  caller order;
  order.place({a.port(), b.port()});
  for (int i = 0; i < 4; ++i) ASSERT_EQ(order.get("/p").reply.status, 200);
  a.endpoint().stop_accepting();
  for (int i = 0; i < 10; ++i) EXPECT_EQ(order.get("/p").reply.status, 200);
}

}  // namespace
}  // namespace gantry::call
