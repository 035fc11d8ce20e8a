// librdkafka's statistics as few numbers.
#include <gtest/gtest.h>

#include "bus/kafka/statistics.hpp"

namespace gantry::bus::kafka {
namespace {

TEST(KafkaStatisticsTest, AddsUpBrokersAndPartitions) {
  const auto s = read_statistics("consumer-1 of g", R"({"name":"x","type":"consumer","msg_cnt":3,"msg_size":300,
    "txmsgs":5,"txmsg_bytes":50,"rxmsgs":7,"rxmsg_bytes":70,"cgrp":{"state":"up","rebalance_cnt":6},
    "brokers":{"a":{"disconnects":1,"rtt":{"min":1,"p99":20}},"b":{"disconnects":2,"rtt":{"p99":30}}},
    "topics":{"orders":{"partitions":{"0":{"fetchq_size":11,"consumer_lag":4},"1":{"fetchq_size":22,"consumer_lag":-1},
                                      "-1":{"fetchq_size":1000,"consumer_lag":1000}}}}})");
  EXPECT_EQ(s.client, "consumer-1 of g");
  EXPECT_EQ(s.messages_waiting, 3U);
  EXPECT_EQ(s.bytes_waiting, 300U);
  EXPECT_EQ(s.messages_sent, 5U);
  EXPECT_EQ(s.bytes_sent, 50U);
  EXPECT_EQ(s.messages_received, 7U);
  EXPECT_EQ(s.bytes_received, 70U);
  EXPECT_EQ(s.bytes_buffered, 33U);
  EXPECT_EQ(s.lag, 4);
  EXPECT_EQ(s.rebalances, 6U);
  EXPECT_EQ(s.disconnects, 3U);
  EXPECT_EQ(s.round_trip_p99_us, 30U);
}

TEST(KafkaStatisticsTest, KnowsNothingFromNothing) { EXPECT_EQ(read_statistics("c", "").messages_sent, 0U); }

}  // namespace
}  // namespace gantry::bus::kafka
