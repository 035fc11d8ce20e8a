// Fetches on a real broker.
#include <future>

#include "kafka_admin.hpp"
#include "kafka_fixture.hpp"

namespace gantry::bus::kafka::testing {
namespace {

using texts = std::vector<std::string>;

class KafkaConsumerTest : public ::testing::Test, public kafka_fixture {
 public:
  void append_numbers(int count) {
    texts numbers;
    for (int i = 0; i < count; ++i) numbers.push_back(std::to_string(i));
    append_and_wait(numbers);
  }
  // Fetches until it fails.
  error failure_at(consumer& from, heard_consumer& news, std::uint64_t at_offset) {
    fetched got;
    while (true) {
      const auto done = from.fetch(at(0), at_offset, 10, 1 << 20, got);
      if (!done && done.failure().code != errc::unavailable) return done.failure();
      EXPECT_TRUE(!done || got.records.empty());
      news.wait_for_records();
    }
  }
};

TEST_F(KafkaConsumerTest, ReadsFromWhereverItIsAsked) {
  open_topic();
  append_numbers(50);
  EXPECT_EQ(read(0, 1)[0], (read_back{0, "k", "0", 1}));
  EXPECT_EQ(data(40, 3), (texts{"40", "41", "42"}));
  EXPECT_EQ(data(43, 2), (texts{"43", "44"}));
  EXPECT_EQ(data(5, 2), (texts{"5", "6"}));
  EXPECT_EQ(data(6, 2), (texts{"6", "7"}));
  EXPECT_EQ(data(49, 1), (texts{"49"}));
}

TEST_F(KafkaConsumerTest, AnnouncesWhatComesLater) {
  open_topic();
  append_and_wait({"a"});
  EXPECT_EQ(data(0, 1), texts{"a"});
  auto later = std::async(std::launch::async, [&] { return data(1, 2); });
  ASSERT_TRUE(append({"b"}));
  ASSERT_TRUE(append({"c"}));
  EXPECT_EQ(later.get(), (texts{"b", "c"}));
}

TEST_F(KafkaConsumerTest, BoundsAFetchAndSaysThatThereIsMore) {
  open_topic();
  append_numbers(20);
  EXPECT_EQ(data(0, 20).size(), 20U);
  fetched got;
  const auto fetch = [&](std::uint64_t from, std::size_t records, std::size_t bytes) {
    do {
      ASSERT_TRUE(observer->fetch(at(0), from, records, bytes, got));
      if (got.records.empty()) observed.wait_for_records();
    } while (got.records.empty());
  };
  fetch(0, 3, 1 << 20);
  EXPECT_EQ(got.records.size(), 3U);
  EXPECT_EQ(got.next, 3U);
  EXPECT_TRUE(got.more);
  fetch(3, 100, 1);
  EXPECT_EQ(got.records.size(), 1U);
  EXPECT_TRUE(got.more);
  EXPECT_EQ(got.records[0].offset, 3U);
}

TEST_F(KafkaConsumerTest, FindsOffsetsByTime) {
  open_topic();
  const auto base = time_us;
  for (int i = 0; i < 5; ++i) {
    time_us = base + i * 1'000'000;
    append_and_wait({std::to_string(i)});
  }
  observer = join("", observed);
  EXPECT_EQ(*observer->offset_at(at(0), 0), 0U);
  EXPECT_EQ(*observer->offset_at(at(0), base + 2'000'000), 2U);
  EXPECT_EQ(*observer->offset_at(at(0), base + 2'500'000), 3U);
  EXPECT_EQ(*observer->offset_at(at(0), base + 9'000'000), 5U);
}

TEST_F(KafkaConsumerTest, KnowsTheEndsOfTheLogAndTheLag) {
  open_topic();
  append_numbers(10);
  observer = join("", observed);
  const auto range = observer->range(at(0));
  ASSERT_TRUE(range);
  EXPECT_EQ(range->start, 0U);
  EXPECT_EQ(range->end, 10U);
  observed.wait_for_partitions(1);
  EXPECT_EQ(observer->lag(at(0), 4), 6U);
  EXPECT_EQ(observer->lag(at(0), 10), 0U);
  EXPECT_FALSE(observer->range({topic, 1}));
}

TEST_F(KafkaConsumerTest, APositionBelowTheStartIsAnErrorAndReadingGoesOnElsewhere) {
  open_topic();
  append_numbers(20);
  delete_records(options.brokers, topic_name, 0, 12);
  observer = join("", observed);
  const auto why = failure_at(*observer, observed, 3);
  EXPECT_EQ(why.code, errc::out_of_range);
  EXPECT_NE(why.text.find("position 3 of " + topic_name + "/0"), std::string::npos) << why.text;
  EXPECT_NE(why.text.find("12 to 20"), std::string::npos) << why.text;
  EXPECT_EQ(failure_at(*observer, observed, 3).code, errc::out_of_range);
  EXPECT_EQ(data(12, 2), (texts{"12", "13"}));
}

TEST_F(KafkaConsumerTest, APositionBeyondTheEndIsAnErrorAsWhenATopicWasMadeAnew) {
  open_topic();
  append_numbers(20);
  heard_consumer news;
  heard_consumer later;
  auto member = join(fresh("group"), news);
  EXPECT_EQ(read(*member, news, at(0), 19, 1).size(), 1U);
  member.reset();
  close();
  delete_topic(options.brokers, topic_name);
  open_topic(1, topic_name);
  append_numbers(5);
  member = join(fresh("group"), later);
  const auto why = failure_at(*member, later, 20);
  EXPECT_EQ(why.code, errc::out_of_range);
  EXPECT_NE(why.text.find("beyond the end"), std::string::npos) << why.text;
  EXPECT_NE(why.text.find("0 to 5"), std::string::npos) << why.text;
  EXPECT_EQ(read(*member, later, at(0), 0, 5).size(), 5U);
}

TEST_F(KafkaConsumerTest, BuffersNoMoreThanItMay) {
  std::mutex mutex;
  std::condition_variable changed;
  std::uint64_t buffered = 0;
  std::uint64_t received = 0;
  int unchanged = 0;
  options.partition_bytes = 1 << 20;
  options.statistics_interval = std::chrono::milliseconds{300};
  options.on_statistics = [&](const kafka_statistics& s) {
    if (!s.client.starts_with("observer")) return;
    const std::scoped_lock lock(mutex);
    unchanged = s.bytes_received == received && received != 0 ? unchanged + 1 : 0;
    received = s.bytes_received;
    buffered = std::max(buffered, s.bytes_buffered);
    changed.notify_all();
  };
  open_topic();
  constexpr int appends = 300;
  for (int i = 0; i < appends; ++i) ASSERT_TRUE(append({std::string(100'000, 'x')}));
  ASSERT_TRUE(acks.wait_for(ticket));
  EXPECT_EQ(data(0, 1).size(), 1U);
  {
    // The broker has 30 MB more for it, and it takes none for seven reports on end.
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return unchanged >= 7; });
    EXPECT_GT(buffered, 500'000U);
    EXPECT_LT(buffered, 4U << 20);
    EXPECT_LT(received, 8U << 20);
  }
  EXPECT_EQ(read(1, appends - 1).size(), static_cast<std::size_t>(appends - 1));
  close();
}

}  // namespace
}  // namespace gantry::bus::kafka::testing
