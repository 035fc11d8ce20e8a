// What Kafka's clients say of themselves, as /metrics shows it.
#include "app/kafka_metrics.hpp"

#include <gtest/gtest.h>

namespace gantry::app {
namespace {

class still_clock final : public clock {
 public:
  std::int64_t wall_us() const noexcept override { return 0; }
  std::int64_t steady_us() const noexcept override { return now_us; }
  std::int64_t now_us = 0;
};

class KafkaMetricsTest : public testing::Test {
 protected:
  bool shows(const std::string& line) const {
    return metrics.exposition().find("\n" + line + "\n") != std::string::npos;
  }
  void an_interval_passes() { time.now_us += std::chrono::microseconds(kafka_metrics::interval).count(); }

  observability::registry metrics;
  still_clock time;
  kafka_metrics shown{metrics, time};
};

TEST_F(KafkaMetricsTest, AddsUpTheClientsOfAKind) {
  shown.note({.client = "producer-1", .messages_waiting = 3, .messages_sent = 10, .round_trip_p99_us = 2'000});
  shown.note({.client = "producer-2", .messages_waiting = 4, .messages_sent = 5, .round_trip_p99_us = 500});
  EXPECT_TRUE(shows(R"(gantry_kafka_messages_waiting{client="producer"} 7)"));
  EXPECT_TRUE(shows(R"(gantry_kafka_messages_sent_total{client="producer"} 15)"));
  EXPECT_TRUE(shows(R"(gantry_kafka_round_trip_seconds{client="producer"} 0.002)"));
}

TEST_F(KafkaMetricsTest, CountersGrowByWhatIsNew) {
  shown.note({.client = "producer-1", .messages_sent = 10});
  shown.note({.client = "producer-1", .messages_sent = 12});
  EXPECT_TRUE(shows(R"(gantry_kafka_messages_sent_total{client="producer"} 12)"));
}

TEST_F(KafkaMetricsTest, AMemberThatJoinsAnewCountsOn) {
  shown.note({.client = "consumer-1 of shop.order", .messages_received = 10});
  shown.note({.client = "consumer-1 of shop.order", .messages_received = 4});
  EXPECT_TRUE(shows(R"(gantry_kafka_messages_received_total{client="consumer",group="shop.order"} 14)"));
}

TEST_F(KafkaMetricsTest, ConsumersAreToldApartByTheirGroup) {
  shown.note({.client = "consumer-1 of shop.order", .bytes_buffered = 1, .rebalances = 2});
  shown.note({.client = "consumer-2 of shop.stock", .bytes_buffered = 3, .lag = 9});
  EXPECT_TRUE(shows(R"(gantry_kafka_bytes_buffered{client="consumer",group="shop.order"} 1)"));
  EXPECT_TRUE(shows(R"(gantry_kafka_bytes_buffered{client="consumer",group="shop.stock"} 3)"));
  EXPECT_TRUE(shows(R"(gantry_kafka_rebalances_total{client="consumer",group="shop.order"} 2)"));
  EXPECT_TRUE(shows(R"(gantry_kafka_committed_lag{client="consumer",group="shop.stock"} 9)"));
}

TEST_F(KafkaMetricsTest, AClientThatHasGoneWaitsForNothingAndItsCountsStay) {
  shown.note({.client = "producer-1", .messages_waiting = 3, .messages_sent = 10});
  for (int i = 0; i < 4; ++i) {
    an_interval_passes();
    shown.note({.client = "cluster"});
  }
  EXPECT_TRUE(shows(R"(gantry_kafka_messages_waiting{client="producer"} 0)"));
  shown.note({.client = "producer-2", .messages_waiting = 1, .messages_sent = 1});
  EXPECT_TRUE(shows(R"(gantry_kafka_messages_waiting{client="producer"} 1)"));
  EXPECT_TRUE(shows(R"(gantry_kafka_messages_sent_total{client="producer"} 11)"));
}

}  // namespace
}  // namespace gantry::app
