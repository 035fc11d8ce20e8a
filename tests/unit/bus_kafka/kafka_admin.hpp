// What an operator does to a cluster from outside, with librdkafka.
#pragma once

#include <cstdint>
#include <string>

namespace gantry::bus::kafka::testing {

void set_topic_limit(const std::string& brokers, const std::string& topic, std::uint64_t max_message_bytes);
// What was set for this topic itself; empty: nothing, the brokers' default counts.
std::string own_setting(const std::string& brokers, const std::string& topic, const std::string& name);
void delete_records(const std::string& brokers, const std::string& topic, std::uint32_t partition, std::uint64_t below);
void delete_topic(const std::string& brokers, const std::string& topic);
// Makes a topic with one partition and the broker's defaults.
void make_topic(const std::string& brokers, const std::string& topic);
// The offset that a group has committed to Kafka; -1001 when none.
std::int64_t group_offset(const std::string& brokers, const std::string& group, const std::string& topic,
                          std::uint32_t partition);

}  // namespace gantry::bus::kafka::testing
