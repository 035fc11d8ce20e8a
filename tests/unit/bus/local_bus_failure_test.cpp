// Disks that fail and fill up.
#include <gtest/gtest.h>

#include "bus_stories.hpp"

namespace gantry::bus::local::testing {
namespace {

using texts = std::vector<std::string>;

TEST_P(BusFailureStories, AFailedSyncIsNotRetriedAndTheProducersHearOfIt) {
  open_with_topic();
  ASSERT_TRUE(append({"a"}));
  sync();
  ASSERT_TRUE(append({"b"}));
  ASSERT_TRUE(append({"c"}));
  files.fail_syncs(true);
  EXPECT_FALSE(try_sync());
  EXPECT_EQ(acks.failure().first, 2U);
  EXPECT_EQ(acks.acknowledged_ticket(), 1U);
  files.fail_syncs(false);
  EXPECT_FALSE(try_sync());
  EXPECT_FALSE(events().health());
  EXPECT_EQ(taken({"d"}).failure().code, errc::io);
  EXPECT_FALSE(events().open_producer(acks));
  EXPECT_EQ(acks.acknowledged_ticket(), 1U);
  power_cut();
  open_with_topic();
  EXPECT_TRUE(events().health());
  EXPECT_EQ(bodies(), texts{"a"});
}

TEST_P(BusFailureStories, AFailedWriteFailsTheFirstTicketThatIsNotStoredAndAllLaterOnes) {
  open_with_topic();
  ASSERT_TRUE(append({"a"}));
  sync();
  ASSERT_TRUE(append({"b"}));
  ASSERT_TRUE(append({"c"}));
  files.fail_writes(true);
  EXPECT_FALSE(try_sync());
  EXPECT_EQ(acks.failure().first, 2U);
  EXPECT_EQ(acks.acknowledged_ticket(), 1U);
  files.fail_writes(false);
  EXPECT_EQ(events().health().failure().code, errc::io);
  EXPECT_EQ(taken({"d"}).failure().code, errc::io);
  EXPECT_FALSE(events().open_producer(acks));
  EXPECT_FALSE(events().open_topic({.name = "other"}));
}

TEST_P(BusFailureStories, AConsumerThatReadAheadOfAFailedWriteSkipsNothingAndRepeatsNothing) {
  open_with_topic();
  ASSERT_TRUE(append({"a"}));
  sync();
  ASSERT_TRUE(append({"b", "c"}));
  EXPECT_EQ(read().back(), (read_back{2, "c"}));
  files.fail_writes(true);
  EXPECT_FALSE(try_sync());
  EXPECT_EQ(bodies(), (texts{"a", "b", "c"}));
  files.fail_writes(false);
  power_cut();
  open_with_topic();
  EXPECT_EQ(bodies(), texts{"a"});
  EXPECT_EQ(reader().lag({topic, 0}, 3), 0U);
  ASSERT_TRUE(append({"b again"}));
  const auto ahead = read(3);
  ASSERT_EQ(ahead.size(), 1U);
  EXPECT_EQ(ahead[0].body, "b again");
}

TEST_P(BusFailureStories, AFullDiskRefusesMoreKeepsWhatItTookAndRecovers) {
  const std::string large(9000, 'b');
  open_with_topic();
  ASSERT_TRUE(append({"a"}));
  sync();
  files.set_free_bytes(5000);
  ASSERT_TRUE(append({large}));
  EXPECT_EQ(try_sync().failure().code, errc::unavailable);
  EXPECT_EQ(events().health().failure().code, errc::unavailable);
  EXPECT_EQ(acks.acknowledged_ticket(), 1U);
  EXPECT_EQ(acks.failure().first, 0U);
  EXPECT_EQ(bodies(), (texts{"a", large}));
  EXPECT_EQ(taken({"refused"}).failure().code, errc::unavailable);
  produce();
  EXPECT_EQ(taken({"refused too"}).failure().code, errc::unavailable);
  files.set_free_bytes(std::nullopt);
  produce();
  ASSERT_TRUE(taken({"c"}));
  EXPECT_TRUE(events().health());
  EXPECT_EQ(read(), (std::vector<read_back>{{0, "a"}, {1, large}, {2, "c"}}));
  sync();
  power_cut();
  open_with_topic();
  EXPECT_EQ(bodies(), (texts{"a", large, "c"}));
}

TEST_P(BusFailureStories, WhatAFullDiskHeldUpIsAcknowledgedWhenThereIsSpace) {
  open_with_topic();
  files.set_free_bytes(0);
  ASSERT_TRUE(append({std::string(5000, 'a')}));
  ASSERT_TRUE(append({"b"}));
  EXPECT_FALSE(try_sync());
  EXPECT_FALSE(try_sync());
  EXPECT_EQ(acks.acknowledged_ticket(), 0U);
  files.set_free_bytes(std::nullopt);
  sync();
  EXPECT_EQ(acks.acknowledged_ticket(), 2U);
  EXPECT_TRUE(events().health());
  ASSERT_TRUE(append({"c"}));
}

TEST_P(BusFailureStories, AFullDiskAtANewSegmentRecoversToo) {
  options.segment_bytes = 4096;
  open_with_topic();
  files.set_free_bytes(9000);
  texts stored;
  while (true) {
    const std::string body = std::to_string(stored.size()) + std::string(900, '.');
    if (!taken({body})) break;
    stored.push_back(body);
    static_cast<void>(try_sync());
  }
  EXPECT_GT(files.names(".log").size(), 1U);
  for (int i = 0; i < 5; ++i) {
    produce();
    EXPECT_FALSE(taken({std::string(900, 'x')}));
  }
  files.set_free_bytes(std::nullopt);
  produce();
  ASSERT_TRUE(append({"after"}));
  stored.push_back("after");
  EXPECT_EQ(bodies(), stored);
  sync();
  power_cut();
  open_with_topic();
  EXPECT_EQ(bodies(), stored);
}

TEST_P(BusFailureStories, AProducerThatWaitsForRoomHearsOfAFullDisk) {
  options.memory_bytes = 0;
  open_with_topic();
  files.set_free_bytes(0);
  result<void> done;
  for (int i = 0; i < 3 && done; ++i) done = taken({std::string(5000, 'x')});
  ASSERT_FALSE(done);
  EXPECT_EQ(done.failure().code, errc::unavailable);
}

TEST_P(BusFailureStories, ShortWritesAreCompleted) {
  files.set_longest_write(13);
  open_with_topic();
  ASSERT_TRUE(append({"a", std::string(1000, 'b')}));
  reopen();
  EXPECT_EQ(bodies(), (texts{"a", std::string(1000, 'b')}));
}

}  // namespace
}  // namespace gantry::bus::local::testing
