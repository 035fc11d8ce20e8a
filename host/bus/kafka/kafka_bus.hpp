// The bus on an Apache Kafka cluster, through librdkafka.
// Owned by app. Thread: any.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "base/clock.hpp"
#include "base/result.hpp"
#include "bus/bus.hpp"

namespace gantry::bus {

// What one client of librdkafka says of itself from time to time. Counts since the client began.
struct kafka_statistics {
  std::string client;                  // "producer-2", "consumer-3 of shop.order", "cluster"
  std::uint64_t messages_waiting = 0;  // producers: taken and not yet acknowledged
  std::uint64_t bytes_waiting = 0;     // of those
  std::uint64_t messages_sent = 0;
  std::uint64_t bytes_sent = 0;
  std::uint64_t messages_received = 0;
  std::uint64_t bytes_received = 0;
  std::uint64_t bytes_buffered = 0;     // consumers: received and not yet fetched by a lane
  std::uint64_t round_trip_p99_us = 0;  // to the slowest broker
  std::uint64_t disconnects = 0;
  std::uint64_t rebalances = 0;  // consumers
  std::int64_t lag = 0;          // consumers: records behind the end, by what was committed to Kafka
};

struct kafka_bus_options {
  std::string brokers;  // host:port, comma separated
  // Any property of librdkafka: TLS, SASL, tuning. Those that the bus's promises stand on are refused.
  std::map<std::string, std::string> properties;
  // Names this host in its groups (static membership): the same after a restart, no other host has it. Empty: members
  // come and go. The property group.instance.id does the same.
  std::string member;
  std::string client_id = "gantry";
  int replication = -1;                              // of topics that are made; -1: the broker's default
  int min_insync = 0;                                // of topics that are made; 0: the broker's default
  std::chrono::milliseconds answer_wait{5000};       // how long open_topic, range and offset_at wait for brokers
  std::uint64_t producer_bytes = 64U << 20;          // a producer's records taken and not acknowledged
  std::uint64_t partition_bytes = 16U << 20;         // of one partition, received and not fetched
  std::chrono::milliseconds commit_interval{1000};   // committed() reaches Kafka's group offsets so often
  std::chrono::milliseconds statistics_interval{0};  // 0: none
  // Thread: librdkafka's and the driver's; must not block, must not call the bus.
  std::function<void(const kafka_statistics&)> on_statistics;
  std::function<void(int syslog_level, std::string_view text)> on_log;
  const clock* time = &system_clock();  // outlives the bus
};

// Makes the bus; no broker needs to be there yet: open_topic fails as unavailable until one is, and health() says why.
// invalid: a property that the bus can't do with, or that librdkafka refuses; the text says which and why.
//
// Its id() is the cluster's id, and empty until a topic was opened. Producers and consumers must be gone before the
// bus is; neither may be destroyed while holding a lock that its callbacks take.
result<std::unique_ptr<bus>> open_kafka_bus(const kafka_bus_options& options);

}  // namespace gantry::bus
