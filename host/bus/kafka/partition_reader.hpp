// One partition of a consumer: where it reads, what has come, what the group was told.
//
// Records wait in librdkafka's queue of the partition, which stops fetching when that holds partition_bytes. A lane
// says from where it wants them; when that is not where the queue goes on, the partition is sought. Owned by a
// consumer. Thread: fetch by one thread at a time, begin and end on the consumer's own, all else any.
#pragma once

#include <atomic>
#include <deque>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "bus/kafka/cluster.hpp"
#include "bus/kafka/message.hpp"

namespace gantry::bus::kafka {

class partition_reader {
 public:
  // `events` hears of records, `wake` is called when fetch() needs the consumer's thread.
  partition_reader(cluster& of, partition_id where, consumer_events& events, std::function<void()> wake);
  ~partition_reader();
  partition_reader(const partition_reader&) = delete;
  partition_reader& operator=(const partition_reader&) = delete;

  // The partition is about to be assigned: takes its queue. Returns where reading begins; none while nobody has asked,
  // and then the partition must be paused.
  std::optional<std::uint64_t> begin(rd_kafka_t* client);
  // It was assigned, and paused if it had to be: fetch() may seek from here on.
  void begun();
  // It goes: what has come is dropped. Afterwards nobody hears of it.
  void end();

  result<void> fetch(std::uint64_t from, std::size_t max_records, std::size_t max_bytes, fetched& out);
  std::uint64_t lag(std::uint64_t from) const;
  void note_end(std::uint64_t end) const noexcept;

  // True once after a fetch that could not seek yet and should be made again.
  bool take_retry() noexcept { return retry_.exchange(false); }
  // The next fetch seeks. False: the partition is not ours.
  bool lose_place();

  void committed(std::uint64_t next) noexcept;
  void commit_again() noexcept { commit_due_ = true; }
  // What Kafka was not told yet; none when there is nothing new or the partition is not ours.
  std::optional<std::uint64_t> take_commit() noexcept;

  const partition_id where;
  const std::string& topic() const noexcept { return topic_; }

 private:
  void put(rd_kafka_topic_partition_list_t* list, std::int64_t offset) const;
  bool seek(std::uint64_t to);
  bool assign_again(std::uint64_t to);
  // Fills waiting_ with what the queue holds now, about `records` of them; false when that is nothing.
  bool refill(std::size_t records, std::size_t bytes);
  void take(std::size_t max_records, std::size_t max_bytes, std::uint64_t from);
  void convert(fetched& out);
  error failure_of(const rd_kafka_message_t& message, std::uint64_t from);

  cluster& cluster_;
  const std::string topic_;
  consumer_events& events_;
  const std::function<void()> wake_;

  mutable std::mutex mutex_;
  rd_kafka_t* client_ = nullptr;  // null: the partition is not assigned
  bool begun_ = false;
  queue_handle queue_;
  std::optional<std::uint64_t> wanted_;  // what was asked for last
  std::optional<std::uint64_t> place_;   // the queue goes on here
  bool paused_ = false;
  bool stopped_ = false;                // librdkafka has given up on this partition: its position is outside the log
  std::deque<message_handle> waiting_;  // taken from the queue, beyond the bounds of the last fetch
  std::vector<message_handle> taken_;   // of this fetch
  std::vector<rd_kafka_message_t*> batch_;
  std::vector<header> headers_;
  std::vector<std::size_t> header_begins_;
  std::vector<delivered> delivered_;
  std::size_t mean_bytes_ = 512;  // of a message

  mutable std::atomic<std::uint64_t> end_{0};  // the highest end of the log that was heard of
  std::atomic<std::uint64_t> committed_{0};
  std::atomic<bool> commit_due_{false};
  std::atomic<bool> retry_{false};
};

}  // namespace gantry::bus::kafka
