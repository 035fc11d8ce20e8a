// Groups and observers on a real broker.
#include "bus/kafka/late_end.hpp"
#include "kafka_admin.hpp"
#include "kafka_fixture.hpp"

namespace gantry::bus::kafka::testing {
namespace {

class KafkaGroupTest : public ::testing::Test, public kafka_fixture {
 public:
  const std::string group = fresh("group");
};

TEST_F(KafkaGroupTest, AMemberAloneGetsEveryPartitionAndReadsFromItsOwnPosition) {
  open_topic(3);
  append_and_wait({"a", "b", "c"}, 1);
  heard_consumer news;
  const auto member = join(group, news);
  news.wait_for_partitions(3);
  const auto got = read(*member, news, at(1), 1, 2);
  EXPECT_EQ(got[0].data, "b");
  EXPECT_EQ(got[1].data, "c");
}

TEST_F(KafkaGroupTest, TwoShareThePartitionsAndOneTakesOverWhatTheOtherLeaves) {
  open_topic(4);
  for (std::uint32_t p = 0; p < 4; ++p) append_and_wait({"a", "b"}, p);
  heard_consumer first_news;
  const auto first = join(group, first_news);
  first_news.wait_for_partitions(4);
  kafka_fixture other_host;
  other_host.open_topic(4, topic_name);
  heard_consumer second_news;
  auto second = other_host.join(group, second_news);
  first_news.wait_for_partitions(2);
  second_news.wait_for_partitions(2);
  // Cooperative: what stays was not taken away in between.
  EXPECT_EQ(first_news.revocations(), 2U);
  for (const auto where : first_news.partitions()) {
    EXPECT_FALSE(second_news.partitions().contains(where));
    EXPECT_EQ(read(*first, first_news, where, 0, 2).size(), 2U);
  }
  const auto moving = second_news.partitions();
  for (const auto where : moving) {
    EXPECT_EQ(read(*second, second_news, where, 1, 1)[0].data, "b");
    // Not ours: nothing comes, and it is nobody's fault.
    fetched got;
    EXPECT_TRUE(first->fetch(where, 0, 10, 1 << 20, got));
    EXPECT_TRUE(got.records.empty());
    EXPECT_EQ(first->lag(where, 0), 0U);
  }
  second.reset();
  first_news.wait_for_partitions(4);
  for (const auto where : moving) EXPECT_EQ(read(*first, first_news, where, 0, 2).size(), 2U);
  other_host.close();
}

TEST_F(KafkaGroupTest, ANamedMemberComesBackWithoutDisturbingTheOthers) {
  options.member = "host-1";
  open_topic(4);
  heard_consumer first_news;
  heard_consumer again_news;
  auto first = join(group, first_news);
  first_news.wait_for_partitions(4);
  kafka_fixture other_host;
  other_host.options.member = "host-2";
  other_host.open_topic(4, topic_name);
  heard_consumer second_news;
  const auto second = other_host.join(group, second_news);
  second_news.wait_for_partitions(2);
  first_news.wait_for_partitions(2);
  const auto had = first_news.partitions();
  first.reset();
  first = join(group, again_news);
  again_news.wait_for_partitions(2);
  EXPECT_EQ(again_news.partitions(), had);
  EXPECT_EQ(second_news.revocations(), 0U);
  EXPECT_EQ(second_news.partitions().size(), 2U);
}

TEST_F(KafkaGroupTest, AMemberWhoseNameAnotherOneTookComesBackWhenThatOneIsGone) {
  options.member = "host-1";
  open_topic();
  append_and_wait({"a", "b"}, 0);
  heard_consumer first_news;
  const auto first = join(group, first_news);
  first_news.wait_for_partitions(1);
  EXPECT_EQ(read(*first, first_news, at(0), 0, 1)[0].data, "a");
  {
    kafka_fixture twin;
    twin.options.member = "host-1";
    twin.open_topic(1, topic_name);
    heard_consumer second_news;
    auto second = twin.join(group, second_news);
    second_news.wait_for_partitions(1);
    first_news.wait_for_partitions(0);
    // Not ours any more, and no failure: it may come back.
    fetched got;
    EXPECT_TRUE(first->fetch(at(0), 1, 10, 1 << 20, got));
    EXPECT_TRUE(got.records.empty());
    second.reset();
    twin.close();
  }
  first_news.wait_for_partitions(1);
  EXPECT_EQ(read(*first, first_news, at(0), 1, 1)[0].data, "b");
}

// The end of the first comes before, in and behind its join, as it happens.
TEST_F(KafkaGroupTest, AMemberThrownOutBeforeItHasHadPartitionsEndsAloneAndNotTheProcess) {
  options.member = "host-1";
  open_topic();
  append_and_wait({"a"}, 0);
  kafka_fixture twin;
  twin.options.member = "host-1";
  twin.open_topic(1, topic_name);
  heard_consumer last_news;
  for (int round = 0; round < 20; ++round) {
    heard_consumer first_news;
    heard_consumer second_news;
    const auto first = join(group, first_news);
    const auto second = twin.join(group, second_news);
  }
  const auto last = join(group, last_news);
  last_news.wait_for_partitions(1);
  EXPECT_EQ(read(*last, last_news, at(0), 0, 1)[0].data, "a");
}

TEST_F(KafkaGroupTest, TheClientOfAMemberThatWasThrownOutIsGoneInTheEnd) {
  options.member = "host-1";
  open_topic();
  kafka_fixture twin;
  twin.options.member = "host-1";
  twin.open_topic(1, topic_name);
  heard_consumer first_news;
  heard_consumer second_news;
  const auto first = join(group, first_news);
  first_news.wait_for_partitions(1);
  {
    const auto second = twin.join(group, second_news);
    second_news.wait_for_partitions(1);
    first_news.wait_for_revocations(1);
  }
  // It joins anew, which it does behind the end of its former client.
  first_news.wait_for_partitions(1);
  wait_for_ends();
}

TEST_F(KafkaGroupTest, ObserversSeeEverythingOfEveryPartition) {
  open_topic(3);
  for (std::uint32_t p = 0; p < 3; ++p) append_and_wait({"a", "b"}, p);
  heard_consumer one_news;
  heard_consumer other_news;
  const auto one = join("", one_news);
  const auto other = join("", other_news);
  for (std::uint32_t p = 0; p < 3; ++p) {
    EXPECT_EQ(read(*one, one_news, at(p), 0, 2).size(), 2U);
    EXPECT_EQ(read(*other, other_news, at(p), 1, 1)[0].data, "b");
  }
  EXPECT_EQ(one_news.partitions().size(), 3U);
  EXPECT_EQ(other_news.partitions().size(), 3U);
}

TEST_F(KafkaGroupTest, TellsKafkaThePositionForToolsThatShowLag) {
  open_topic(2);
  append_and_wait({"a", "b", "c"}, 1);
  heard_consumer news;
  auto member = join(group, news);
  news.wait_for_partitions(2);
  read(*member, news, at(1), 0, 3);
  member->committed(at(1), 2);
  while (group_offset(options.brokers, group, topic_name, 1) != 2) {
  }
  member->committed(at(1), 3);
  // What is left is told when it leaves.
  member.reset();
  EXPECT_EQ(group_offset(options.brokers, group, topic_name, 1), 3);
  EXPECT_EQ(group_offset(options.brokers, group, topic_name, 0), -1001);
}

TEST_F(KafkaGroupTest, AConsumerOfATopicThatWasNotOpenedIsRefused) {
  open_topic();
  const topic_id unknown = 77;
  heard_consumer news;
  EXPECT_FALSE(bus->open_consumer(group, {&unknown, 1}, news));
}

}  // namespace
}  // namespace gantry::bus::kafka::testing
