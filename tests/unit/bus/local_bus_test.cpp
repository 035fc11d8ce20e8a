// What goes in comes out: topics, positions, groups, restarts.
#include <gtest/gtest.h>

#include <thread>

#include "bus_stories.hpp"

namespace gantry::bus::local::testing {
namespace {

using texts = std::vector<std::string>;

TEST_P(BusStories, GivesBackWhatWasAppendedAlsoAfterARestart) {
  open_with_topic();
  const std::string id(events().id());
  ASSERT_TRUE(append({"a", "b"}));
  ASSERT_TRUE(append({"c"}));
  EXPECT_EQ(read(), (std::vector<read_back>{{0, "a"}, {1, "b"}, {2, "c"}}));
  reopen();
  EXPECT_EQ(events().id(), id);
  ASSERT_TRUE(append({"d"}));
  EXPECT_EQ(read(), (std::vector<read_back>{{0, "a"}, {1, "b"}, {2, "c"}, {3, "d"}}));
}

TEST_P(BusStories, KeepsTheFieldsAndTheSource) {
  open_with_topic();
  ASSERT_TRUE(append({"a"}, 0, 77));
  fetched got;
  ASSERT_TRUE(reader().fetch({topic, 0}, 0, 10, 1000, got));
  ASSERT_EQ(got.records.size(), 1U);
  EXPECT_EQ(got.records[0].source, "/shop/order/1.1");
  EXPECT_EQ(got.records[0].type, "Happened");
  EXPECT_EQ(got.records[0].time_us, 77);
}

TEST_P(BusStories, WritesOneAppendOverManyPartitionsInOneGo) {
  open_with_topic(3);
  const std::string one = encoded({"x"});
  const std::string two = encoded({"y", "z"});
  const batch all[] = {{{topic, 0}, 1, "s", one}, {{topic, 2}, 2, "s", two}, {{topic, 0}, 2, "s", two}};
  ASSERT_TRUE(producer->append(1, all));
  EXPECT_EQ(bodies(0, 0), (texts{"x", "y", "z"}));
  EXPECT_EQ(bodies(0, 1), texts{});
  EXPECT_EQ(bodies(0, 2), (texts{"y", "z"}));
}

TEST_P(BusStories, AcknowledgesAfterTheSyncAndNotBefore) {
  open_with_topic();
  ASSERT_TRUE(append({"a"}));
  ASSERT_TRUE(append({"b"}));
  settle();
  EXPECT_EQ(acks.acknowledged_ticket(), 0U);
  sync();
  EXPECT_EQ(acks.acknowledged_ticket(), 2U);
}

TEST_P(BusStories, SyncsByItselfAtItsInterval) {
  options.sync_interval = std::chrono::milliseconds{1};
  open_with_topic();
  ASSERT_TRUE(append({"a"}));
  acks.wait_for(1);
}

TEST_P(BusStories, SyncsAtOnceWhenAskedToAlways) {
  options.sync_interval = std::chrono::microseconds{0};
  open_with_topic();
  for (std::uint64_t i = 1; i <= 50; ++i) {
    ASSERT_TRUE(append({"a"}));
    acks.wait_for(i);
  }
}

TEST_P(BusStories, ServesSeveralConsumersAtTheirOwnPlaces) {
  open_with_topic();
  ASSERT_TRUE(append({"a", "b", "c"}));
  heard_consumer other_heard;
  auto other = events().open_consumer("mail", {&topic, 1}, other_heard);
  ASSERT_TRUE(other);
  EXPECT_EQ(other_heard.assigned_partitions(), (std::vector<partition_id>{{topic, 0}}));
  fetched got;
  ASSERT_TRUE((*other)->fetch({topic, 0}, 2, 10, 1000, got));
  ASSERT_EQ(got.records.size(), 1U);
  EXPECT_EQ(got.records[0].data, "c");
  EXPECT_EQ(bodies(1), (texts{"b", "c"}));
}

TEST_P(BusStories, TellsTheConsumersOfThePartition) {
  open_with_topic(2);
  reader();
  ASSERT_TRUE(append({"a"}, 1));
  settle();
  EXPECT_EQ(heard.available_partitions(), (std::vector<partition_id>{{topic, 1}}));
  consumer.reset();
  ASSERT_TRUE(append({"b"}, 1));
  settle();
  EXPECT_EQ(heard.available_partitions().size(), 1U);
}

TEST_P(BusStories, ReadsFromEarliestLatestOffsetAndTime) {
  open_with_topic();
  ASSERT_TRUE(append({"a"}, 0, 100));
  ASSERT_TRUE(append({"b", "c"}, 0, 200));
  ASSERT_TRUE(append({"d"}, 0, 300));
  auto range = reader().range({topic, 0});
  ASSERT_TRUE(range);
  EXPECT_EQ(range->start, 0U);
  EXPECT_EQ(range->end, 4U);
  EXPECT_EQ(bodies(range->start).size(), 4U);
  EXPECT_EQ(bodies(range->end).size(), 0U);
  EXPECT_EQ(bodies(2), (texts{"c", "d"}));
  EXPECT_EQ(*reader().offset_at({topic, 0}, 0), 0U);
  EXPECT_EQ(*reader().offset_at({topic, 0}, 150), 1U);
  EXPECT_EQ(*reader().offset_at({topic, 0}, 300), 3U);
  EXPECT_EQ(*reader().offset_at({topic, 0}, 301), 4U);
}

TEST_P(BusStories, GivesAtLeastOneRecordAndNoMoreThanAsked) {
  open_with_topic();
  const std::string large(5000, 'x');
  ASSERT_TRUE(append({large, large, large}));
  fetched got;
  ASSERT_TRUE(reader().fetch({topic, 0}, 0, 2, 1, got));
  EXPECT_EQ(got.records.size(), 2U);
  EXPECT_EQ(got.next, 2U);
  EXPECT_TRUE(got.more);
  ASSERT_TRUE(reader().fetch({topic, 0}, 2, 2, 1, got));
  EXPECT_EQ(got.records.size(), 1U);
  EXPECT_FALSE(got.more);
}

TEST_P(BusStories, SplitsALargeBatchIntoFramesAndKeepsItsOrder) {
  open_with_topic();
  texts many;
  for (int i = 0; i < 3000; ++i) many.push_back(std::to_string(i) + std::string(500, '.'));
  ASSERT_TRUE(append(many));
  EXPECT_EQ(bodies(), many);
}

TEST_P(BusStories, ReadsAcrossSegmentsAlsoFromIndexFiles) {
  options.segment_bytes = 4096;
  open_with_topic(2);
  texts all;
  for (int i = 0; i < 200; ++i) {
    all.push_back(std::to_string(i) + std::string(100, '.'));
    ASSERT_TRUE(append({all.back()}, 0, i));
    ASSERT_TRUE(append({"other"}, 1, i));
  }
  settle();
  EXPECT_GT(files.names(".log").size(), 5U);
  EXPECT_EQ(bodies(), all);
  reopen(2);
  EXPECT_GT(files.names(".idx").size(), 5U);
  EXPECT_EQ(bodies(), all);
  EXPECT_EQ(bodies(150), texts(all.begin() + 150, all.end()));
  EXPECT_EQ(reader().lag({topic, 0}, 20), 180U);
  EXPECT_EQ(*reader().offset_at({topic, 0}, 33), 33U);
}

TEST_P(BusStories, ReadsFromMemoryWhatIsStillBeingWritten) {
  open_with_topic();
  files.hold_writes();
  ASSERT_TRUE(append({"a", "b"}));
  settle();
  std::thread syncing([&] { EXPECT_TRUE(bus->sync()); });
  files.wait_for_a_held_write();
  ASSERT_TRUE(append({"c"}));
  EXPECT_EQ(bodies(), (texts{"a", "b", "c"}));
  EXPECT_EQ(acks.acknowledged_ticket(), 0U);
  files.let_writes_go();
  syncing.join();
  settle();
  EXPECT_EQ(acks.acknowledged_ticket(), 1U);
  sync();
  EXPECT_EQ(acks.acknowledged_ticket(), 2U);
  reopen();
  EXPECT_EQ(bodies(), (texts{"a", "b", "c"}));
}

TEST_P(BusStories, MoreThanMemoryHoldsIsWrittenBeforeItsSyncAndReadFromBoth) {
  options.memory_bytes = 128 << 10;
  open_with_topic(2);
  texts all;
  for (int i = 0; i < 500; ++i) {
    all.push_back(std::to_string(i) + std::string(1000, '.'));
    ASSERT_TRUE(append({all.back()}));
    ASSERT_TRUE(append({"other"}, 1));
  }
  settle();
  EXPECT_EQ(acks.acknowledged_ticket(), 0U);
  EXPECT_GT(files.size(files.names(".log").back()), 300'000U);
  EXPECT_EQ(bodies(), all);
  EXPECT_EQ(bodies(100), texts(all.begin() + 100, all.end()));
  EXPECT_EQ(bodies(499), texts{all.back()});
  sync();
  EXPECT_EQ(bodies(), all);
  reopen(2);
  EXPECT_EQ(bodies(), all);
}

TEST_P(BusStories, WritesTheAppendsOfASyncInOneGo) {
  open_with_topic();
  sync();
  const auto before = files.writes();
  for (int i = 0; i < 50; ++i) ASSERT_TRUE(append({std::string(1000, 'x')}));
  settle();
  EXPECT_EQ(files.writes(), before);
  sync();
  EXPECT_EQ(files.writes(), before + 1);
}

TEST_P(BusStories, TakesRecordsLargerThanItsMemory) {
  options.memory_bytes = 0;
  open_with_topic();
  const texts all{std::string(900'000, 'a'), "b", std::string(500'000, 'c')};
  for (const auto& body : all) ASSERT_TRUE(append({body}));
  EXPECT_EQ(bodies(), all);
  reopen();
  EXPECT_EQ(bodies(), all);
}

TEST_P(BusStories, RefusesAnotherNumberOfPartitions) {
  open_with_topic(3);
  const auto wrong = events().open_topic({.name = "orders", .partitions = 4});
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.failure().code, errc::conflict);
  EXPECT_NE(wrong.failure().text.find("has 3 partitions"), std::string::npos);
  EXPECT_NE(wrong.failure().text.find("4 were asked for"), std::string::npos);
  EXPECT_EQ(open_topic({.name = "orders", .partitions = 3}), topic);
}

TEST_P(BusStories, RefusesMorePartitionsThanATopicMayHave) {
  open_with_topic(1);
  const auto wrong = events().open_topic({.name = "wide", .partitions = 10'001});
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.failure().code, errc::invalid);
  EXPECT_NE(wrong.failure().text.find("10001 partitions"), std::string::npos);
  EXPECT_TRUE(events().open_topic({.name = "wide", .partitions = 2}));
}

TEST_P(BusStories, TakesANewRetentionOfAKnownTopic) {
  open_with_topic();
  open_topic({.name = "orders", .retention = std::chrono::hours{1}});
  EXPECT_EQ(events().topic(topic).retention, std::chrono::hours{1});
  close();
  open();
  ASSERT_EQ(events().topics().size(), 1U);
  EXPECT_EQ(events().topics()[0].retention, std::chrono::hours{1});
}

TEST_P(BusStories, MembersOfAGroupShareThePartitionsAndTakeOver) {
  open_with_topic(3);
  for (std::uint32_t p = 0; p < 3; ++p) ASSERT_TRUE(append({"a"}, p));
  reader("mail");
  EXPECT_EQ(heard.owned().size(), 3U);
  EXPECT_EQ(heard.available_partitions().size(), 0U);
  heard_consumer second;
  auto other = std::move(*events().open_consumer("mail", {&topic, 1}, second));
  settle();
  EXPECT_EQ(heard.owned().size(), 2U);
  ASSERT_EQ(second.owned().size(), 1U);
  const auto moved = *second.owned().begin();
  EXPECT_FALSE(heard.owned().contains(moved));
  fetched got;
  ASSERT_TRUE(consumer->fetch(moved, 0, 10, 1000, got));
  EXPECT_EQ(got.records.size(), 0U);
  EXPECT_EQ(consumer->lag(moved, 0), 1U);
  ASSERT_TRUE(other->fetch(moved, 0, 10, 1000, got));
  EXPECT_EQ(got.records.size(), 1U);
  other.reset();
  settle();
  EXPECT_EQ(heard.owned().size(), 3U);
  ASSERT_EQ(heard.available_partitions().size(), 1U);
  EXPECT_EQ(heard.available_partitions()[0], moved);
  ASSERT_TRUE(consumer->fetch(moved, 0, 10, 1000, got));
  EXPECT_EQ(got.records.size(), 1U);
}

TEST_P(BusStories, AMemberTooManyWaitsForAPartition) {
  open_with_topic();
  reader("mail");
  heard_consumer second;
  const auto other = std::move(*events().open_consumer("mail", {&topic, 1}, second));
  settle();
  EXPECT_EQ(heard.owned().size(), 1U);
  EXPECT_EQ(second.owned().size(), 0U);
  ASSERT_TRUE(append({"a"}));
  settle();
  EXPECT_EQ(second.available_partitions().size(), 0U);
  consumer.reset();
  settle();
  EXPECT_EQ(second.owned().size(), 1U);
  EXPECT_EQ(second.available_partitions().size(), 1U);
}

TEST_P(BusStories, SmallTopicsAreSpreadOverTheMembers) {
  open();
  std::vector<topic_id> topics;
  for (int i = 0; i < 4; ++i) topics.push_back(open_topic({.name = "topic-" + std::to_string(i)}));
  heard_consumer one;
  heard_consumer two;
  const auto first = std::move(*events().open_consumer("mail", topics, one));
  const auto second = std::move(*events().open_consumer("mail", topics, two));
  settle();
  EXPECT_EQ(one.owned().size() + two.owned().size(), 4U);
}

TEST_P(BusStories, RefusesWhatIsNoBatchOfThisTopicAndThenTheProducerIsDead) {
  open_with_topic();
  ASSERT_TRUE(append({"a"}));
  const std::string records = encoded({"x"});
  const batch wrong_count{{topic, 0}, 2, "s", records};
  EXPECT_EQ(producer->append(2, {&wrong_count, 1}).failure().code, errc::invalid);
  EXPECT_FALSE(append({"b"}));
  produce();
  const batch wrong_partition{{topic, 9}, 1, "s", records};
  EXPECT_EQ(producer->append(1, {&wrong_partition, 1}).failure().code, errc::invalid);
  produce();
  EXPECT_EQ(taken({std::string(2 << 20, 'x')}).failure().code, errc::too_large);
  produce();
  ASSERT_TRUE(append({"c"}));
  EXPECT_EQ(bodies(), (texts{"a", "c"}));
}

}  // namespace
}  // namespace gantry::bus::local::testing
