// Many threads at once on the machine's own files.
#include <gtest/gtest.h>
#include <unistd.h>

#include <thread>

#include "bus_stories.hpp"

namespace gantry::bus::local::testing {
namespace {

constexpr int producers = 3;
constexpr int appends = 400;
constexpr std::uint32_t partitions = 2;

void produce_all(bus& to, topic_id topic, int who) {
  heard_producer acks;
  const auto producer = std::move(*to.open_producer(acks));
  for (int i = 0; i < appends; ++i) {
    const std::string records = encoded({std::to_string(who) + ":" + std::to_string(i)}, i);
    const batch one{{topic, static_cast<std::uint32_t>(i) % partitions}, 1, "s", records};
    ASSERT_TRUE(producer->append(static_cast<std::uint64_t>(i) + 1, {&one, 1}));
  }
  acks.wait_for(appends);
}

// Reads a partition until it has seen all, checking that each producer's records come in order.
void consume_all(bus& from, topic_id topic, std::uint32_t partition, const std::string& group) {
  heard_consumer heard;
  const auto consumer = std::move(*from.open_consumer(group, {&topic, 1}, heard));
  std::vector<int> last(producers, -1);
  std::uint64_t next = 0;
  fetched got;
  for (std::uint64_t seen = 0; seen < producers * appends / partitions; seen += got.records.size()) {
    ASSERT_TRUE(consumer->fetch({topic, partition}, next, 50, 1 << 16, got));
    for (const auto& r : got.records) {
      const std::string body(r.data);
      const auto who = static_cast<std::size_t>(body[0] - '0');
      const int i = std::stoi(body.substr(2));
      ASSERT_GT(i, last[who]);
      last[who] = i;
    }
    next = got.next;
    consumer->committed({topic, partition}, next);
    if (got.records.empty()) std::this_thread::yield();
  }
  EXPECT_EQ(consumer->lag({topic, partition}, next), 0U);
}

TEST_P(BusConcurrencyStories, ProducersConsumersSyncsAndRetentionRunSideBySide) {
  const auto directory = std::filesystem::temp_directory_path() / ("gantry-threads-" + std::to_string(::getpid()));
  std::filesystem::remove_all(directory);
  local_bus_options options;
  options.directory = directory;
  options.sync_interval = std::chrono::milliseconds{1};
  options.segment_bytes = 16384;
  options.retention_check = std::chrono::milliseconds{5};
  {
    const auto journal = std::move(*journal_bus::open(options));
    const auto front = GetParam() != nullptr ? GetParam()(*journal) : nullptr;
    bus& events = front ? front->events() : *journal;
    const topic_id topic = *events.open_topic({.name = "orders", .partitions = partitions});
    std::vector<std::thread> all;
    for (std::uint32_t p = 0; p < partitions; ++p)
      all.emplace_back([&, p] { consume_all(events, topic, p, "group-" + std::to_string(p)); });
    all.emplace_back([&] { consume_all(events, topic, 0, ""); });
    for (int who = 0; who < producers; ++who) all.emplace_back([&, who] { produce_all(events, topic, who); });
    for (int i = 0; i < 20; ++i) {
      EXPECT_TRUE(events.health());
      journal->retain();
      EXPECT_TRUE(journal->sync());
      static_cast<void>(events.open_topic({.name = "topic-" + std::to_string(i)}));
    }
    for (auto& thread : all) thread.join();
  }
  std::filesystem::remove_all(directory);
}

}  // namespace
}  // namespace gantry::bus::local::testing
