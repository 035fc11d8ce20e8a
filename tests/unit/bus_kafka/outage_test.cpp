// Brokers that are away, are killed and come back.
#include <chrono>
#include <thread>

#include "kafka_fixture.hpp"

namespace gantry::bus::kafka::testing {
namespace {

class KafkaOutageTest : public ::testing::Test {
 public:
  own_broker broker;
  kafka_fixture shop{broker.address()};
};

TEST_F(KafkaOutageTest, ABusMayBeThereBeforeItsBrokers) {
  broker.kill();
  shop.options.answer_wait = std::chrono::milliseconds{500};
  shop.open();
  const auto opened = shop.bus->open_topic({.name = "orders"});
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.failure().code, errc::unavailable);
  EXPECT_NE(opened.failure().text.find(broker.address()), std::string::npos) << opened.failure().text;
  EXPECT_EQ(shop.bus->health().failure().code, errc::unavailable);
  EXPECT_FALSE(shop.bus->open_producer(shop.acks));
  broker.start();
  while (!shop.bus->open_topic({.name = "orders"})) {
  }
  while (!shop.bus->health()) {
  }
  shop.open_topic(1, "orders");
  shop.append_and_wait({"a"});
}

// What the relay does: after a failure it opens a fresh producer and begins at the lowest ticket that was not
// acknowledged.
class replayed_log {
 public:
  explicit replayed_log(kafka_fixture& shop) : shop_(shop) {}

  void append(int records, std::uint32_t partition) {
    std::vector<std::string> texts;
    for (int i = 0; i < records; ++i) texts.push_back(std::to_string(++made_[partition]));
    rows_.push_back(
        {shop_.encoded(texts, "k" + std::to_string(partition)), static_cast<std::uint32_t>(records), partition});
    if (alive_) alive_ = hand_over(rows_.size());
  }

  // Until all is acknowledged.
  void finish() {
    while (shop_.acks.last() < rows_.size()) {
      if (alive_ && shop_.acks.wait_for(rows_.size())) return;
      if (shop_.acks.has_failed()) shop_.acks.wait_for_failure();
      shop_.producer.reset();
      auto opened = shop_.bus->open_producer(shop_.acks);
      alive_ = opened.ok();
      if (!alive_) continue;
      ++restarts;
      shop_.producer = std::move(*opened);
      for (auto id = shop_.acks.last() + 1; alive_ && id <= rows_.size(); ++id) alive_ = hand_over(id);
    }
  }

  int made(std::uint32_t partition) const { return made_.at(partition); }
  int restarts = 0;

 private:
  struct row {
    std::string records;
    std::uint32_t count;
    std::uint32_t partition;
  };
  bool hand_over(std::uint64_t id) {
    const auto& r = rows_[id - 1];
    const batch one{shop_.at(r.partition), r.count, shop_.source, r.records};
    return shop_.producer->append(id, {&one, 1}).ok();
  }

  kafka_fixture& shop_;
  std::vector<row> rows_;
  std::map<std::uint32_t, int> made_;
  bool alive_ = true;
};

TEST_F(KafkaOutageTest, ABrokerKilledDuringAppendsLosesAndReordersNothing) {
  constexpr std::uint32_t partitions = 3;
  shop.open_topic(partitions);
  replayed_log log(shop);
  const auto append_some = [&](int appends) {
    for (int i = 0; i < appends; ++i) log.append(1 + i % 7, static_cast<std::uint32_t>(i) % partitions);
  };
  for (int round = 0; round < 2; ++round) {
    append_some(500);
    broker.kill();
    append_some(500);
    broker.start();
    append_some(500);
  }
  log.finish();
  shop.observer = shop.join("", shop.observed);
  for (std::uint32_t p = 0; p < partitions; ++p) {
    // Each client finds the broker again by itself: the producer had to for the last acknowledgement, this one may
    // still be about it.
    auto range = shop.observer->range(shop.at(p));
    while (!range && range.failure().code == errc::unavailable) {
      std::this_thread::yield();
      range = shop.observer->range(shop.at(p));
    }
    ASSERT_TRUE(range) << range.failure().text;
    int next = 1;
    std::uint64_t last = 0;
    for (const auto& r : shop.read(0, range->end, p)) {
      // What consumers drop.
      if (r.sequence <= last) continue;
      last = r.sequence;
      ASSERT_EQ(r.data, std::to_string(next)) << "partition " << p << ", offset " << r.offset;
      ++next;
    }
    EXPECT_EQ(next - 1, log.made(p));
  }
}

TEST_F(KafkaOutageTest, AProducerHoldsSoMuchAndNoMoreWhileTheBrokerIsAway) {
  shop.options.producer_bytes = 1 << 20;
  shop.open_topic();
  shop.append_and_wait({"a"});
  broker.kill();
  int taken = 0;
  result<void> last;
  for (; taken < 2000 && (last = shop.append({std::string(10'000, 'x')})); ++taken) {
  }
  ASSERT_FALSE(last);
  EXPECT_EQ(last.failure().code, errc::unavailable);
  EXPECT_NE(last.failure().text.find("1048576"), std::string::npos) << last.failure().text;
  EXPECT_GT(taken, 50);
  EXPECT_LT(taken, 105);
  // Ends without waiting for the broker.
  shop.close();
}

TEST_F(KafkaOutageTest, ReadersAndHealthSayThatTheBrokerIsAwayAndGoOnWhenItIsBack) {
  shop.options.answer_wait = std::chrono::milliseconds{500};
  shop.open_topic();
  shop.append_and_wait({"a"});
  heard_consumer news;
  const auto member = shop.join("billing", news);
  EXPECT_EQ(shop.read(*member, news, shop.at(0), 0, 1).size(), 1U);
  broker.kill();
  while (shop.bus->health()) {
  }
  EXPECT_NE(shop.bus->health().failure().text.find(broker.address()), std::string::npos);
  fetched got;
  EXPECT_TRUE(member->fetch(shop.at(0), 1, 10, 1 << 20, got));
  EXPECT_TRUE(got.records.empty());
  EXPECT_EQ(member->range(shop.at(0)).failure().code, errc::unavailable);
  broker.start();
  while (!shop.bus->health()) {
  }
  shop.append_and_wait({"b"});
  EXPECT_EQ(shop.read(*member, news, shop.at(0), 1, 1)[0].data, "b");
}

TEST_F(KafkaOutageTest, AMemberEndsWhileTheBrokerIsAway) {
  shop.options.commit_interval = std::chrono::hours{1};
  shop.open_topic();
  heard_consumer news;
  auto member = shop.join("billing", news);
  news.wait_for_partitions(1);
  broker.kill();
  member->committed(shop.at(0), 0);
  member.reset();
  shop.close();
}

}  // namespace
}  // namespace gantry::bus::kafka::testing
