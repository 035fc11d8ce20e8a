// Topics on a real broker.
#include "base/hash.hpp"
#include "kafka_admin.hpp"
#include "kafka_fixture.hpp"

namespace gantry::bus::kafka::testing {
namespace {

class KafkaTopicTest : public ::testing::Test, public kafka_fixture {};

TEST_F(KafkaTopicTest, MakesATopicAndFindsItAgain) {
  open();
  EXPECT_EQ(bus->id(), "");
  open_topic(3);
  EXPECT_FALSE(bus->id().empty());
  EXPECT_EQ(bus->topic(topic).partitions, 3U);
  EXPECT_EQ(bus->topics().size(), 1U);
  EXPECT_TRUE(bus->health());
  const std::string id(bus->id());
  const auto again = bus->open_topic({.name = topic_name, .partitions = 3});
  ASSERT_TRUE(again);
  EXPECT_EQ(*again, topic);
  close();
  open_topic(3, topic_name);
  EXPECT_EQ(bus->id(), id);
}

TEST_F(KafkaTopicTest, SaysBothNumbersWhenPartitionsDiffer) {
  open_topic(3);
  const auto opened = bus->open_topic({.name = topic_name, .partitions = 4});
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.failure().code, errc::conflict);
  EXPECT_NE(opened.failure().text.find("has 3 partitions"), std::string::npos) << opened.failure().text;
  EXPECT_NE(opened.failure().text.find("says 4"), std::string::npos) << opened.failure().text;
}

TEST_F(KafkaTopicTest, RefusesATopicThatCantTakeTheLargestMessage) {
  open();
  const auto name = fresh("narrow");
  make_topic(options.brokers, name);
  set_topic_limit(options.brokers, name, 1'000'000);
  const auto opened = bus->open_topic({.name = name, .partitions = 1});
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.failure().code, errc::conflict);
  EXPECT_NE(opened.failure().text.find("1000000"), std::string::npos) << opened.failure().text;
  EXPECT_NE(opened.failure().text.find("1064960"), std::string::npos) << opened.failure().text;
  EXPECT_TRUE(bus->open_topic({.name = name, .partitions = 1, .max_message = 100'000}));
}

TEST_F(KafkaTopicTest, MakesATopicWithTheReplicasThatWereAskedFor) {
  options.replication = 1;
  options.min_insync = 1;
  open_topic();
  EXPECT_EQ(own_setting(options.brokers, topic_name, "min.insync.replicas"), "1");
  // What nobody asked for is left to the brokers.
  close();
  options.min_insync = 0;
  open_topic(1, fresh("plain"));
  EXPECT_EQ(own_setting(options.brokers, topic_name, "min.insync.replicas"), "");
}

// The others may only not have come yet.
TEST_F(KafkaTopicTest, MoreReplicasThanBrokersAreNotThereYet) {
  options.replication = 2;
  open();
  const auto opened = bus->open_topic({.name = fresh("wide"), .partitions = 1});
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.failure().code, errc::unavailable);
  EXPECT_NE(opened.failure().text.find("eplication factor"), std::string::npos) << opened.failure().text;
}

TEST_F(KafkaTopicTest, RefusesATopicWithoutPartitions) {
  open();
  EXPECT_EQ(bus->open_topic({.name = "none", .partitions = 0}).failure().code, errc::invalid);
}

TEST_F(KafkaTopicTest, PutsKeysWhereOtherClientsPutThem) {
  open_topic(7);
  for (int i = 0; i < 40; ++i) {
    const auto key = "order-" + std::to_string(i * 7919);
    // kcat's murmur2_random partitioner is that of Java clients, for keys.
    output_of("printf '%s' '" + key + ":x' | kcat -P -b " + options.brokers + " -t " + topic_name +
              " -K : -X topic.partitioner=murmur2_random 2>&1");
  }
  std::size_t found = 0;
  for (std::uint32_t p = 0; p < 7; ++p) {
    if (!observer) observer = join("", observed);
    const auto range = observer->range(at(p));
    ASSERT_TRUE(range) << range.failure().text;
    for (const auto& r : read(range->start, range->end - range->start, p)) {
      EXPECT_EQ(partition_of(r.key, 7), p) << r.key;
      ++found;
    }
  }
  EXPECT_EQ(found, 40U);
}

}  // namespace
}  // namespace gantry::bus::kafka::testing
