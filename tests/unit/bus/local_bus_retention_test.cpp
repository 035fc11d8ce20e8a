// Segments go when their time has passed and everybody has read them; a bound in bytes may override that.
#include <gtest/gtest.h>

#include "bus_fixture.hpp"

namespace gantry::bus::local::testing {
namespace {

class LocalBusRetentionTest : public ::testing::Test, public bus_fixture {
 protected:
  LocalBusRetentionTest() : bus_fixture(4096) {}

  void open_and_fill(topic_spec spec) {
    open();
    topic = open_topic(spec);
    produce();
    fill();
  }
  void fill() {
    for (int i = 0; i < 40; ++i) ASSERT_TRUE(append({std::string(500, 'x')}));
    sync();
  }
  void hours_pass(int hours) { time.now_us += std::int64_t{hours} * 3'600'000'000; }
  std::uint64_t start() { return reader().range({topic, 0})->start; }
};

TEST_F(LocalBusRetentionTest, KeepsAllUntilTheTimeHasPassed) {
  open_and_fill({.name = "orders", .retention = std::chrono::hours{2}});
  const auto before = files.names(".log").size();
  hours_pass(1);
  bus->retain();
  EXPECT_EQ(files.names(".log").size(), before);
  hours_pass(2);
  bus->retain();
  EXPECT_EQ(files.names(".log").size(), 1U);
  EXPECT_GT(start(), 0U);
}

TEST_F(LocalBusRetentionTest, NeverTakesWhatAGroupHasNotRead) {
  open_and_fill({.name = "orders", .retention = std::chrono::hours{1}});
  reader("mail");
  hours_pass(2);
  bus->retain();
  EXPECT_EQ(reader("mail").range({topic, 0})->start, 0U);
  reader("mail").committed({topic, 0}, 20);
  bus->retain();
  const auto halfway = reader("mail").range({topic, 0})->start;
  EXPECT_GT(halfway, 0U);
  EXPECT_LE(halfway, 20U);
  reader("mail").committed({topic, 0}, 40);
  bus->retain();
  EXPECT_GT(reader("mail").range({topic, 0})->start, 30U);
}

TEST_F(LocalBusRetentionTest, RemembersGroupsOverARestart) {
  open_and_fill({.name = "orders", .retention = std::chrono::hours{1}});
  reader("mail").committed({topic, 0}, 10);
  close();
  open();
  hours_pass(2);
  bus->retain();
  const auto start = reader().range({topic, 0})->start;
  EXPECT_GT(start, 0U);
  EXPECT_LE(start, 10U);
}

TEST_F(LocalBusRetentionTest, TellsAConsumerOfTheGapAndNamesBothPlaces) {
  open_and_fill({.name = "orders", .retention_bytes = 6000});
  reader("mail");
  bus->retain();
  const auto start = reader("mail").range({topic, 0})->start;
  ASSERT_GT(start, 3U);
  fetched got;
  const auto gap = reader("mail").fetch({topic, 0}, 3, 10, 1000, got);
  ASSERT_FALSE(gap);
  EXPECT_EQ(gap.failure().code, errc::out_of_range);
  EXPECT_NE(gap.failure().text.find("position 3 "), std::string::npos);
  EXPECT_NE(gap.failure().text.find(std::to_string(start)), std::string::npos);
  EXPECT_EQ(reader("mail").lag({topic, 0}, 3), 40 - start);
  ASSERT_TRUE(reader("mail").fetch({topic, 0}, start, 10, 1000, got));
  EXPECT_EQ(got.records.front().offset, start);
}

TEST_F(LocalBusRetentionTest, TheStartStaysOverRestartsAndPowerCuts) {
  open_and_fill({.name = "orders", .retention = std::chrono::hours{1}});
  hours_pass(2);
  bus->retain();
  const auto start_before = start();
  power_cut();
  open();
  EXPECT_EQ(start(), start_before);
  close();
  open();
  EXPECT_EQ(start(), start_before);
  fetched got;
  EXPECT_EQ(reader().fetch({topic, 0}, 0, 10, 1000, got).failure().code, errc::out_of_range);
}

TEST_F(LocalBusRetentionTest, OneTopicsBoundTakesNothingFromAnother) {
  open();
  const auto kept = open_topic({.name = "payments"});
  topic = kept;
  produce();
  ASSERT_TRUE(append({"precious"}));
  topic = open_topic({.name = "clicks", .retention_bytes = 2000});
  fill();
  bus->retain();
  topic = kept;
  EXPECT_EQ(bodies(), std::vector<std::string>{"precious"});
}

TEST_F(LocalBusRetentionTest, AGroupThatLeftATopicHoldsItNoLonger) {
  open_and_fill({.name = "orders", .retention = std::chrono::hours{1}});
  reader("mail");
  consumer.reset();
  const auto other = open_topic({.name = "other"});
  consumer = *bus->open_consumer("mail", {&other, 1}, heard);
  hours_pass(2);
  bus->retain();
  EXPECT_GT(start(), 0U);
}

}  // namespace
}  // namespace gantry::bus::local::testing
