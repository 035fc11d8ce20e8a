// Appends on a real broker.
#include <algorithm>

#include "base/hash.hpp"
#include "kafka_admin.hpp"
#include "kafka_fixture.hpp"

namespace gantry::bus::kafka::testing {
namespace {

using texts = std::vector<std::string>;

class KafkaProducerTest : public ::testing::Test, public kafka_fixture {};

TEST_F(KafkaProducerTest, AcknowledgesInOrder) {
  open_topic();
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(append({std::to_string(i)}));
  ASSERT_TRUE(acks.wait_for(ticket));
  const auto tickets = acks.tickets();
  EXPECT_TRUE(std::is_sorted(tickets.begin(), tickets.end()));
  texts expected;
  for (int i = 0; i < 100; ++i) expected.push_back(std::to_string(i));
  EXPECT_EQ(data(0, 100), expected);
}

TEST_F(KafkaProducerTest, KeepsEveryKeysOrderOverPartitions) {
  open_topic(3);
  constexpr int rounds = 60;
  constexpr int keys = 11;
  for (int round = 0; round < rounds; ++round) {
    std::vector<std::string> records(keys);
    std::vector<batch> batches;
    for (std::size_t k = 0; k < keys; ++k) {
      const auto key = "order-" + std::to_string(k);
      records[k] = encoded({std::to_string(round)}, key);
      batches.push_back({at(partition_of(key, 3)), 1, source, records[k]});
    }
    ASSERT_TRUE(producer->append(++ticket, batches));
  }
  ASSERT_TRUE(acks.wait_for(ticket));
  std::map<std::string, int> next;
  for (std::uint32_t p = 0; p < 3; ++p) {
    if (!observer) observer = join("", observed);
    const auto end = observer->range(at(p))->end;
    std::uint64_t last = 0;
    for (const auto& r : read(0, end, p)) {
      EXPECT_EQ(r.data, std::to_string(next[r.key]++));
      EXPECT_GT(r.sequence, last);
      last = r.sequence;
    }
  }
  EXPECT_EQ(next.size(), static_cast<std::size_t>(keys));
  for (const auto& [key, count] : next) EXPECT_EQ(count, rounds) << key;
}

TEST_F(KafkaProducerTest, AcknowledgesAnAppendWithoutRecords) {
  open_topic();
  ASSERT_TRUE(producer->append(++ticket, {}));
  EXPECT_TRUE(acks.wait_for(ticket));
}

TEST_F(KafkaProducerTest, CarriesTheLargestRecord) {
  open_topic();
  // What encoding adds to key, type and id is less than 200 bytes.
  const std::string large(bus->topic(topic).max_message - 200, 'x');
  append_and_wait({"before", large, "after"});
  EXPECT_EQ(data(0, 3), (texts{"before", large, "after"}));
}

TEST_F(KafkaProducerTest, RefusesALargerOneAndEndsTheProducer) {
  open_topic();
  append_and_wait({"first"});
  const auto refused = append({std::string(bus->topic(topic).max_message, 'x')});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.failure().code, errc::too_large);
  EXPECT_NE(refused.failure().text.find("max_message is 1048576"), std::string::npos) << refused.failure().text;
  EXPECT_FALSE(append({"behind it"}));
  produce();
  append_and_wait({"second"});
  EXPECT_EQ(data(0, 2), (texts{"first", "second"}));
}

TEST_F(KafkaProducerTest, ARecordThatTheBrokerRefusesLeavesNothingBehindIt) {
  open_topic();
  append_and_wait({"first"});
  // As it was when the topic was opened it takes them; an operator has made it narrower since.
  set_topic_limit(options.brokers, topic_name, 20'000);
  // A fresh producer, which the broker does not know in this partition: it would let a later batch begin.
  produce();
  sequence = 100;
  const auto refused = ticket + 1;
  ASSERT_TRUE(append({std::string(30'000, 'x')}));
  for (int i = 0; i < 50; ++i)
    if (!append({"behind it"})) break;
  const auto why = acks.wait_for_failure();
  EXPECT_EQ(why.code, errc::too_large) << why.text;
  EXPECT_LT(acks.last(), refused);
  producer.reset();
  set_topic_limit(options.brokers, topic_name, 2'000'000);
  produce();
  append_and_wait({"second"});
  EXPECT_EQ(data(0, 2), (texts{"first", "second"}));
}

TEST_F(KafkaProducerTest, ARecordRefusedLaterLeavesNothingBehindItEither) {
  open_topic();
  set_topic_limit(options.brokers, topic_name, 20'000);
  append_and_wait({"first"});
  ASSERT_TRUE(append({std::string(30'000, 'x')}));
  for (int i = 0; i < 2000; ++i)
    if (!append({"behind it"})) break;
  // Whether its own report or that of a record behind it comes first is chance.
  acks.wait_for_failure();
  producer.reset();
  set_topic_limit(options.brokers, topic_name, 2'000'000);
  produce();
  append_and_wait({"second"});
  EXPECT_EQ(data(0, 2), (texts{"first", "second"}));
}

TEST_F(KafkaProducerTest, RefusesABatchForAPartitionThatIsNotThere) {
  open_topic();
  const auto refused = append({"a"}, 1);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.failure().code, errc::invalid);
}

TEST_F(KafkaProducerTest, EndsWithRecordsUnderWay) {
  open_topic();
  for (int i = 0; i < 1000; ++i) ASSERT_TRUE(append({std::string(1000, 'x')}));
  producer.reset();
}

}  // namespace
}  // namespace gantry::bus::kafka::testing
