#include "domain/flow.hpp"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include "domain/history.hpp"

namespace shop::order {
namespace {

constexpr const char* all_events[] = {
    "InventoryReserved",     "InventoryRejected",  "InventoryReleased", "PaymentProcessed",  "PaymentFailed",
    "PaymentRefunded",       "ShipmentCreated",    "ShipmentFailed",    "ShipmentCancelled", "InventoryCommitted",
    "InventoryCommitFailed", "ShipmentDispatched", "ShipmentDelivered"};

TEST(StatusTable, KnowsItsNames) {
  EXPECT_EQ(status_named("NeedsAttention"), order_status::needs_attention);
  EXPECT_FALSE(status_named("needsattention"));
  EXPECT_TRUE(may_become(order_status::pending, order_status::reserved));
  EXPECT_FALSE(may_become(order_status::completed, order_status::cancelling));
  EXPECT_FALSE(may_become(order_status::shipped, order_status::cancelling));
}

TEST(Flow, UsualPathLeadsFromPendingToCompleted) {
  const order_flow flow{settings{}};
  standing at = flow.place(1).after;
  std::string passed;
  for (const char* type : {"InventoryReserved", "PaymentProcessed", "ShipmentCreated", "InventoryCommitted",
                           "ShipmentDispatched", "ShipmentDelivered"}) {
    const auto* usual = flow.usual(type);
    ASSERT_NE(usual, nullptr) << type;
    EXPECT_EQ(usual->saga_before, encode(at.saga)) << type;
    EXPECT_EQ(usual->status_before, at.status) << type;
    const order_move move = flow.on_event(at, type, 1);
    EXPECT_EQ(usual->saga_after, encode(move.after.saga)) << type;
    for (const order_status status : move.passed) passed += std::string(name_of(status)) + " ";
    at = move.after;
  }
  EXPECT_EQ(passed, "Reserved Paid Paid Confirmed Shipped Delivered Completed ");
  EXPECT_FALSE(at.saga.running());
}

TEST(Flow, CompletionWaitsForItsDelay) {
  settings config;
  config.completion_delay = std::chrono::hours(1);
  const order_flow flow(config);
  standing at = flow.place(1).after;
  for (const char* type : {"InventoryReserved", "PaymentProcessed", "ShipmentCreated", "InventoryCommitted",
                           "ShipmentDispatched", "ShipmentDelivered"}) {
    at = flow.on_event(at, type, 1).after;
  }
  EXPECT_EQ(at.status, order_status::delivered);
  EXPECT_EQ(at.saga.deadline_us, 3'600'000'001);
  const order_move early = flow.on_timer(at, 2);
  EXPECT_EQ(early.after.status, order_status::delivered);
  EXPECT_EQ(early.timer, gantry::saga_timer::arm);
  EXPECT_EQ(flow.on_timer(at, 3'600'000'001).after.status, order_status::completed);
}

TEST(Flow, ParcelThatIsQuickerThanTheCommitStillEndsCompleted) {
  const order_flow flow{settings{}};
  standing at = flow.place(1).after;
  for (const char* type : {"InventoryReserved", "PaymentProcessed", "ShipmentCreated"}) {
    at = flow.on_event(at, type, 1).after;
  }
  at = flow.on_event(at, "ShipmentDispatched", 1).after;
  EXPECT_EQ(at.status, order_status::shipped);
  at = flow.on_event(at, "ShipmentDelivered", 1).after;
  EXPECT_EQ(at.status, order_status::delivered);
  const order_move move = flow.on_event(at, "InventoryCommitted", 1);
  EXPECT_TRUE(move.confirmed);
  EXPECT_EQ(move.after.status, order_status::completed);
}

// Whatever the world does, the transition table is kept (pass() would throw), and an order that is not at rest has a
// deadline.
TEST(FlowProperty, EveryMoveIsInTheTransitionTable) {
  EXPECT_TRUE(rc::check([](bool delayed) {
    settings config;
    if (delayed) config.completion_delay = std::chrono::seconds(5);
    const order_flow flow(config);
    std::int64_t now_us = 1;
    standing at = flow.place(now_us).after;
    const auto inputs = *rc::gen::container<std::vector<int>>(rc::gen::inRange(0, 16));
    for (const int input : inputs) {
      order_move move;
      if (input < 13) {
        move = flow.on_event(at, all_events[input], ++now_us, "because");
      } else if (input == 13) {
        move = flow.cancel(at, "changed my mind", ++now_us);
      } else {
        if (at.saga.deadline_us == 0) continue;
        now_us = std::max(now_us, at.saga.deadline_us);
        move = flow.on_timer(at, now_us);
      }
      order_status from = at.status;
      for (const order_status to : move.passed) {
        RC_ASSERT(may_become(from, to));
        from = to;
      }
      if (!move.applied) RC_ASSERT(encode(move.after.saga) == encode(at.saga));
      at = move.after;
      RC_ASSERT(!at.saga.running() || at.saga.deadline_us != 0);
    }
  }));
}

TEST(History, IsReadAsItWasWritten) {
  const std::string uuid = "0194f0c2-1111-7abc-8def-00000000abcd";
  const std::string history = history_step(0, {order_status::reserved}, {"InventoryReserved", uuid}) +
                              history_step(3'000'000'000, {order_status::shipped, order_status::delivered},
                                           {"ShipmentDelivered", "not-a-uuid"}) +
                              history_step(-7, {order_status::completed}, {"timer", ""}) +
                              history_step(1, {order_status::cancelling}, {"SomethingNew", "Z" + uuid.substr(1)});
  const auto entries = read_history(history, 100);
  ASSERT_EQ(entries.size(), 5U);
  EXPECT_EQ(entries[0].at_us, 100);
  EXPECT_EQ(entries[0].status, order_status::reserved);
  EXPECT_EQ(entries[0].cause, "InventoryReserved");
  EXPECT_EQ(entries[0].event_id, uuid);
  EXPECT_EQ(entries[1].status, order_status::shipped);
  EXPECT_EQ(entries[2].status, order_status::delivered);
  EXPECT_EQ(entries[2].at_us, 3'000'000'100);
  EXPECT_EQ(entries[2].event_id, "not-a-uuid");
  EXPECT_EQ(entries[3].at_us, 3'000'000'093);
  EXPECT_EQ(entries[3].cause, "timer");
  EXPECT_EQ(entries[3].event_id, "");
  EXPECT_EQ(entries[4].cause, "SomethingNew");
  EXPECT_EQ(entries[4].event_id, "Z" + uuid.substr(1));
  EXPECT_EQ(last_change(history, 100), 3'000'000'094);
  EXPECT_EQ(last_change("", 100), 100);
}

TEST(History, BrokenBytesEndIt) {
  const std::string good = history_step(5, {order_status::paid}, {"PaymentProcessed", "e-1"});
  for (std::size_t size = 1; size < good.size(); ++size) {
    const std::string broken = good + good.substr(0, size);
    ASSERT_EQ(read_history(broken, 0).size(), 1U) << size;
    EXPECT_EQ(last_change(broken, 0), 5) << size;
  }
}

TEST(History, KeepsAnyStep) {
  EXPECT_TRUE(
      rc::check([](std::int64_t placed_us, std::int32_t later_us, const std::string& cause, const std::string& id) {
        placed_us %= 1'000'000'000'000'000;
        const auto entries = read_history(history_step(later_us, {order_status::paid}, {cause, id}), placed_us);
        RC_ASSERT(entries.size() == 1U);
        RC_ASSERT(entries[0].at_us == placed_us + later_us);
        RC_ASSERT(entries[0].cause == cause);
        RC_ASSERT(entries[0].event_id == id);
      }));
}

}  // namespace
}  // namespace shop::order
