#include "bus/kafka/statistics.hpp"

#include <algorithm>
#include <charconv>

#include "bus/kafka/json_members.hpp"

namespace gantry::bus::kafka {
namespace {

std::int64_t whole(std::string_view value) {
  std::int64_t out = 0;
  std::from_chars(value.data(), value.data() + value.size(), out);
  return out;
}

std::uint64_t count(std::string_view value) {
  return static_cast<std::uint64_t>(std::max<std::int64_t>(0, whole(value)));
}

template <typename Visit>
void for_each_member(std::string_view object, const Visit& visit) {
  member_reader members(object);
  std::string_view name;
  std::string_view value;
  while (members.next(name, value)) visit(name, value);
}

void add_broker(kafka_statistics& out, std::string_view broker) {
  for_each_member(broker, [&](std::string_view name, std::string_view value) {
    if (name == "disconnects") out.disconnects += count(value);
    if (name != "rtt") return;
    for_each_member(value, [&](std::string_view which, std::string_view us) {
      if (which == "p99") out.round_trip_p99_us = std::max(out.round_trip_p99_us, count(us));
    });
  });
}

void add_partition(kafka_statistics& out, std::string_view partition) {
  for_each_member(partition, [&](std::string_view name, std::string_view value) {
    if (name == "fetchq_size") out.bytes_buffered += count(value);
    if (name == "consumer_lag") out.lag += std::max<std::int64_t>(0, whole(value));
  });
}

void add_topic(kafka_statistics& out, std::string_view topic) {
  for_each_member(topic, [&](std::string_view name, std::string_view value) {
    if (name != "partitions") return;
    // Partition -1 stands for none.
    for_each_member(value, [&](std::string_view number, std::string_view partition) {
      if (number != "-1") add_partition(out, partition);
    });
  });
}

}  // namespace

kafka_statistics read_statistics(std::string_view client, std::string_view json) {
  kafka_statistics out;
  out.client = client;
  for_each_member(json, [&](std::string_view name, std::string_view value) {
    if (name == "msg_cnt") out.messages_waiting = count(value);
    if (name == "msg_size") out.bytes_waiting = count(value);
    if (name == "txmsgs") out.messages_sent = count(value);
    if (name == "txmsg_bytes") out.bytes_sent = count(value);
    if (name == "rxmsgs") out.messages_received = count(value);
    if (name == "rxmsg_bytes") out.bytes_received = count(value);
    if (name == "cgrp")
      for_each_member(value, [&](std::string_view which, std::string_view number) {
        if (which == "rebalance_cnt") out.rebalances = count(number);
      });
    if (name == "brokers")
      for_each_member(value, [&](std::string_view, std::string_view broker) { add_broker(out, broker); });
    if (name == "topics")
      for_each_member(value, [&](std::string_view, std::string_view topic) { add_topic(out, topic); });
  });
  return out;
}

}  // namespace gantry::bus::kafka
