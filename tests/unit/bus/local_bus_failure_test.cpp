// Disks that fail and fill up.
#include <gtest/gtest.h>

#include "bus_fixture.hpp"

namespace gantry::bus::local::testing {
namespace {

using texts = std::vector<std::string>;

class LocalBusFailureTest : public ::testing::Test, public bus_fixture {};

TEST_F(LocalBusFailureTest, AFailedSyncIsNotRetriedAndTheProducersHearOfIt) {
  open_with_topic();
  ASSERT_TRUE(append({"a"}));
  sync();
  ASSERT_TRUE(append({"b"}));
  ASSERT_TRUE(append({"c"}));
  files.fail_syncs(true);
  EXPECT_FALSE(bus->sync());
  EXPECT_EQ(acks.failure().first, 2U);
  EXPECT_EQ(acks.acknowledged_ticket(), 1U);
  files.fail_syncs(false);
  EXPECT_FALSE(bus->sync());
  EXPECT_FALSE(bus->health());
  EXPECT_EQ(append({"d"}).failure().code, errc::io);
  EXPECT_FALSE(bus->open_producer(acks));
  EXPECT_EQ(acks.acknowledged_ticket(), 1U);
  power_cut();
  open_with_topic();
  EXPECT_TRUE(bus->health());
  EXPECT_EQ(bodies(), texts{"a"});
}

TEST_F(LocalBusFailureTest, AFullDiskRefusesAndRecovers) {
  open_with_topic();
  ASSERT_TRUE(append({"a"}));
  files.set_free_bytes(50);
  const auto refused = append({"b"});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.failure().code, errc::unavailable);
  EXPECT_EQ(bus->health().failure().code, errc::unavailable);
  sync();
  EXPECT_EQ(acks.acknowledged_ticket(), 1U);
  files.set_free_bytes(std::nullopt);
  produce();
  ASSERT_TRUE(append({"c"}));
  EXPECT_TRUE(bus->health());
  EXPECT_EQ(read(), (std::vector<read_back>{{0, "a"}, {1, "c"}}));
  reopen();
  EXPECT_EQ(bodies(), (texts{"a", "c"}));
}

TEST_F(LocalBusFailureTest, AFullDiskAtANewSegmentRecoversToo) {
  options.segment_bytes = 4096;
  open_with_topic();
  files.set_free_bytes(6000);
  texts stored;
  while (true) {
    const std::string body = std::to_string(stored.size()) + std::string(900, '.');
    if (!append({body})) break;
    stored.push_back(body);
  }
  for (int i = 0; i < 5; ++i) {
    produce();
    EXPECT_FALSE(append({std::string(900, 'x')}));
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

TEST_F(LocalBusFailureTest, ShortWritesAreCompleted) {
  files.set_longest_write(13);
  open_with_topic();
  ASSERT_TRUE(append({"a", std::string(1000, 'b')}));
  reopen();
  EXPECT_EQ(bodies(), (texts{"a", std::string(1000, 'b')}));
}

}  // namespace
}  // namespace gantry::bus::local::testing
