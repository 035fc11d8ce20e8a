// Which versions of a plugin may take another one's place, and what is said of those that may not.
#include "lifecycle/swap_check.hpp"

#include <gtest/gtest.h>

namespace gantry::lifecycle {
namespace {

loader::manifest order() {
  loader::manifest m;
  m.id = "order";
  m.version = "1.2.0";
  m.routes = {{"POST", "/orders", true}, {"GET", "/orders/{id}", false}};
  m.consumes = {{"payment-events", "PaymentProcessed", 1, 2, "event", "earliest"}};
  m.emits = {{"order-events", "OrderPlaced", 1, "{}"}};
  m.jobs = {"remind"};
  m.timers = {"saga"};
  m.migrations = {{1, "orders", "", "aa"}};
  return m;
}

loader::manifest reader_of_orders(std::uint32_t from, std::uint32_t to) {
  loader::manifest m;
  m.id = "analytics";
  m.version = "1.0.0";
  m.consumes = {{"order-events", "OrderPlaced", from, to, "event", "earliest"}};
  return m;
}

class SwapCheckTest : public ::testing::Test {
 protected:
  swap_verdict compare() {
    std::vector<const loader::manifest*> others;
    for (const auto& one : others_) others.push_back(&one);
    return compare_versions(now_, next_, others, {"order-events", "payment-events"}, {"order", "analytics"});
  }
  // The only reason, of those that nothing overrules or of the others.
  std::string never() { return only(compare().never); }
  std::string careful() { return only(compare().careful); }
  static std::string only(const std::vector<std::string>& reasons) {
    return reasons.size() == 1 ? reasons.front() : std::to_string(reasons.size()) + " reasons";
  }

  loader::manifest now_ = order();
  loader::manifest next_ = order();
  std::vector<loader::manifest> others_ = {reader_of_orders(1, 1)};
};

TEST_F(SwapCheckTest, AVersionThatOnlyAddsFits) {
  next_.version = "1.3.0";
  next_.routes.push_back({"GET", "/orders/{id}/notes", false});
  next_.emits.push_back({"order-events", "OrderNoted", 1, "{}"});
  next_.migrations.push_back({2, "notes", "", "bb"});
  next_.jobs.push_back("archive");
  EXPECT_TRUE(compare().fits(false));
}

TEST_F(SwapCheckTest, AnotherPluginNeverFits) {
  next_.id = "payment";
  EXPECT_EQ(never(), "it is plugin payment, expected order");
  EXPECT_FALSE(compare().fits(true));
}

TEST_F(SwapCheckTest, WhatOthersWouldMissIsAnOperatorsDecision) {
  next_.routes.pop_back();
  EXPECT_EQ(careful(), "route GET /orders/{id} of 1.2.0 is not in 1.2.0");
  EXPECT_FALSE(compare().fits(false));
  EXPECT_TRUE(compare().fits(true));
}

TEST_F(SwapCheckTest, AnEventThatAConsumerCanNotReadIsNamedWithIt) {
  next_.emits[0].version = 2;
  EXPECT_EQ(careful(), "event OrderPlaced on order-events has version 2, analytics 1.0.0 reads 1");
  others_ = {reader_of_orders(1, 2)};
  EXPECT_TRUE(compare().fits(false));
}

TEST_F(SwapCheckTest, ASchemaChangesWithItsVersionOnly) {
  next_.emits[0].schema = R"({"type":"object"})";
  EXPECT_EQ(careful(),
            "event OrderPlaced on order-events has another schema under the same version 1: give it version 2");
}

TEST_F(SwapCheckTest, EventsOnTheirWayMustStayReadable) {
  next_.consumes[0].min_version = 2;
  EXPECT_EQ(careful(),
            "it reads versions 2 of PaymentProcessed on payment-events, 1.2.0 read 1 to 2, and such events may be on "
            "their way");
}

TEST_F(SwapCheckTest, WaitingJobsAndTimersNeedTheirKind) {
  next_.jobs.clear();
  EXPECT_EQ(never(), "jobs of kind remind could wait, and 1.2.0 can't run them");
  next_ = order();
  next_.timers.clear();
  EXPECT_EQ(never(), "timers of kind saga could run, and 1.2.0 has none");
}

TEST_F(SwapCheckTest, MigrationsAreNeverTakenBackOrChanged) {
  next_.migrations.clear();
  EXPECT_EQ(never(), "migration 1 (orders) has run, and 1.2.0 does not know it: its schema is older");
  next_ = order();
  next_.migrations[0].sha256 = "cc";
  EXPECT_EQ(never(), "migration 1 (orders) has run, and is another one in 1.2.0");
}

TEST_F(SwapCheckTest, OnTheWayBackMigrationsThatOnlyAddMayStay) {
  const auto back = [this] { return compare_versions(now_, next_, {}, {"order-events", "payment-events"}, {}, true); };
  now_.migrations.push_back({2, "note", "", "bb"});
  EXPECT_TRUE(back().never.empty());
  now_.migrations.push_back({3, "contract_old", "", "cc"});
  EXPECT_EQ(back().never.size(), 1U);
}

TEST_F(SwapCheckTest, TopicsAndPluginsMustBeInTheTopology) {
  next_.consumes.push_back({"returns", "Returned", 1, 1, "event", "earliest"});
  EXPECT_EQ(never(), "it consumes topic returns, which the topology does not have");
  next_ = order();
  next_.calls = {"loyalty"};
  EXPECT_EQ(never(), "it calls loyalty, which the topology does not have");
}

TEST_F(SwapCheckTest, AnOlderVersionIsAnOperatorsDecision) {
  next_.version = "1.1.9";
  EXPECT_EQ(careful(), "it is version 1.1.9, older than 1.2.0 which runs");
}

TEST(VersionNumbersTest, AreComparedPartByPart) {
  EXPECT_EQ(compare_version_numbers("1.2.0", "1.2.0"), 0);
  EXPECT_LT(compare_version_numbers("1.9.0", "1.10.0"), 0);
  EXPECT_GT(compare_version_numbers("2", "1.99.99"), 0);
  EXPECT_LT(compare_version_numbers("1.0.0-alpha", "1.0.0-beta"), 0);
}

}  // namespace
}  // namespace gantry::lifecycle
