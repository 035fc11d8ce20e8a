// What a cluster says of topics, and making them. Each call waits for brokers, no longer than it is told.
// Thread: any.
#pragma once

#include <librdkafka/rdkafka.h>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "base/result.hpp"
#include "bus/bus.hpp"
#include "bus/kafka/kafka_bus.hpp"

namespace gantry::bus::kafka {

struct found_topic {
  std::uint32_t partitions = 0;  // 0: there is no such topic
  std::uint32_t replicas = 0;    // of the partition with the fewest
  bool led = false;              // every partition has a leader
};

// unavailable, timeout: no broker answers.
result<found_topic> find_topic(rd_kafka_t* client, const std::string& name, std::chrono::milliseconds wait);

// Succeeds also when somebody else has made it meanwhile.
result<void> make_topic(rd_kafka_t* client, const topic_spec& spec, const kafka_bus_options& options,
                        std::chrono::milliseconds wait);

// The topic's max.message.bytes, which bounds a batch; none when this client may not ask.
result<std::optional<std::uint64_t>> largest_batch(rd_kafka_t* client, const std::string& name,
                                                   std::chrono::milliseconds wait);

// What a topic must take in one batch.
std::uint64_t needed_batch(const topic_spec& spec, const kafka_bus_options& options);

}  // namespace gantry::bus::kafka
