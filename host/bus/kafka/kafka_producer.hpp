// One relay's way to Kafka: an idempotent producer of librdkafka.
//
// In each partition what is stored is always a front part of what was appended. Brokers see to that for a producer that
// they know in this partition: they refuse a batch when the one before it is missing. One that they don't know yet may
// begin anywhere. So the first record for a partition goes alone, and the others wait for its acknowledgement. Owned by
// whoever opened it. Thread: append one at a time; a thread of its own hears of deliveries.
#pragma once

#include <atomic>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "bus/kafka/cluster.hpp"
#include "bus/kafka/in_flight.hpp"
#include "bus/kafka/message.hpp"

namespace gantry::bus::kafka {

class kafka_producer final : public producer {
 public:
  // unavailable: the cluster does not answer now.
  static result<std::unique_ptr<producer>> open(cluster& to, producer_events& events);
  ~kafka_producer() override;

  result<void> append(std::uint64_t ticket, std::span<const batch> batches) override;

 private:
  // A record that waits until its partition knows this producer.
  struct held_record {
    std::string encoded;
    std::string source;
    std::uint64_t number = 0;  // of its append
  };
  struct lane_to_partition {
    bool known = false;           // the partition has acknowledged a record of this producer
    std::uint64_t under_way = 0;  // messages given to librdkafka
    std::int64_t heard_us = 0;    // of the last acknowledgement; steady
    std::deque<held_record> held;
  };
  struct topic_lanes {
    topic_handle topic;
    std::uint64_t max_message = 0;
    std::vector<lane_to_partition> partitions;
  };
  struct decoded {
    partition_id where;
    std::string_view source;
    std::string_view encoded;
    record what;
  };

  kafka_producer(cluster& to, producer_events& events);
  void run();
  // All below under mutex_.
  result<void> decode_all(std::span<const batch> batches, std::uint64_t& bytes);
  topic_lanes& lanes_of(topic_id topic);
  result<void> give(partition_id where, const record& r, std::string_view encoded, std::string_view source,
                    std::uint64_t number);
  result<void> send(topic_lanes& to, std::uint32_t partition, const record& r, std::string_view source,
                    std::uint64_t number);
  void settle(rd_kafka_event_t* deliveries);
  void let_go(topic_lanes& to, std::uint32_t partition);
  void die(error why);

  cluster& cluster_;
  producer_events& events_;
  client_context context_;

  std::mutex mutex_;
  std::vector<std::unique_ptr<topic_lanes>> topics_;
  in_flight in_flight_;
  message_layout layout_;
  std::vector<decoded> decoded_;
  std::optional<error> dead_;

  handle client_;
  queue_handle deliveries_;
  std::atomic<bool> stopping_{false};
  std::thread hearing_;
};

}  // namespace gantry::bus::kafka
