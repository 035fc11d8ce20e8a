// One plugin's membership in its group, or an observer of all partitions.
// Owned by whoever opened it. Thread: fetch of one partition by one thread at a time, all else any; a thread of its own
// keeps the membership, hears of partitions, and joins anew when the group has thrown this member out.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "bus/kafka/partition_reader.hpp"

namespace gantry::bus::kafka {

class kafka_consumer final : public consumer {
 public:
  // Doesn't wait for brokers: partitions are assigned when they answer. With an empty group all partitions are, at
  // once.
  static result<std::unique_ptr<consumer>> open(cluster& of, std::string_view group, std::span<const topic_id> topics,
                                                consumer_events& events);
  ~kafka_consumer() override;

  result<void> fetch(partition_id where, std::uint64_t from, std::size_t max_records, std::size_t max_bytes,
                     fetched& out) override;
  void committed(partition_id where, std::uint64_t next) override;
  result<log_range> range(partition_id where) const override;
  std::uint64_t lag(partition_id where, std::uint64_t from) const override;
  result<std::uint64_t> offset_at(partition_id where, std::int64_t time_us) const override;

 private:
  kafka_consumer(cluster& of, std::string_view group, std::span<const topic_id> topics, consumer_events& events);
  std::unique_ptr<client_context> make_context();
  // A new client, which joins the group; it has no partitions yet.
  result<void> join();
  void run();
  // Until the consumer ends, or librdkafka gives the membership up for good.
  void keep_membership();
  void leave();
  // False: the consumer ends.
  bool wait_and_join_again(std::chrono::milliseconds pause);
  void hear(const rd_kafka_message_t& message);
  void rebalance(rd_kafka_resp_err_t code, rd_kafka_topic_partition_list_t* partitions);
  // Takes these partitions; on_all: there are no others, and no group.
  void assign(const rd_kafka_topic_partition_list_t& partitions, bool on_all);
  void revoke(rd_kafka_topic_partition_list_t& partitions);
  void commit();
  void wake();
  partition_reader* find(const rd_kafka_topic_partition_t& of) const;
  result<partition_reader*> find(partition_id where) const;

  cluster& cluster_;
  const std::string group_;
  const std::string name_;
  consumer_events& events_;
  std::unique_ptr<client_context> context_;                            // of client_
  std::map<partition_id, std::unique_ptr<partition_reader>> readers_;  // doesn't change

  const std::vector<topic_id> topics_;
  handle client_;       // the membership's thread's alone
  bool over_ = false;   // librdkafka will do nothing more with this client
  bool begun_ = false;  // the group has answered this client with partitions, or none
  bool tells_ = true;   // Kafka, of what was committed
  std::mutex mutex_;
  queue_handle events_queue_;  // guarded by mutex_; of client_
  std::condition_variable stop_;
  std::atomic<bool> stopping_{false};
  std::thread membership_;
};

}  // namespace gantry::bus::kafka
