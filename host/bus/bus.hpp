// The bus as the runtime sees it: topics with partitions, keys, offsets and consumer groups.
// Drivers: local/ (a journal on this machine), kafka/.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "bus/record.hpp"

namespace gantry::bus {

struct topic_spec {
  std::string name;
  std::uint32_t partitions = 1;
  std::chrono::milliseconds retention{std::chrono::hours{24 * 7}};
  std::uint64_t retention_bytes = 0;        // 0: no bound
  std::uint64_t max_message = 1024 * 1024;  // bytes of one encoded record
};

using topic_id = std::uint32_t;  // given by open_topic; small, dense, good for the life of this bus object

struct partition_id {
  topic_id topic = 0;
  std::uint32_t partition = 0;
  friend bool operator==(const partition_id&, const partition_id&) = default;
  friend auto operator<=>(const partition_id&, const partition_id&) = default;
};

// Records of one partition and one source, encoded back to back. Views.
struct batch {
  partition_id where;
  std::uint32_t count = 0;
  std::string_view source;
  std::string_view records;
};

// Hears what became of appended batches. Owned by whoever opened the producer; outlives it.
class producer_events {
 public:
  virtual ~producer_events() = default;
  // Every append with a ticket up to this one is stored as durably as the bus promises. Thread: any; must not block.
  virtual void acknowledged(std::uint64_t ticket) = 0;
  // This append and all later ones of the producer failed; none of the later ones was or will be stored. The
  // producer is dead: open a fresh one and start again at the lowest ticket that was not acknowledged.
  virtual void failed(std::uint64_t ticket, const error& why) = 0;
};

class producer {
 public:
  virtual ~producer() = default;
  // Appends the batches in this order, behind all earlier appends of this producer. Tickets grow. The bytes are
  // taken before it returns. An error counts like failed(): nothing of this append was stored, and the producer is dead.
  // Thread: one at a time.
  virtual result<void> append(std::uint64_t ticket, std::span<const batch> batches) = 0;
};

// Records of a fetch. The records' views point into `bytes`.
struct fetched {
  std::string bytes;
  std::vector<record> records;
  std::uint64_t next = 0;  // where the next fetch should begin
  bool more = false;       // there is more to read at once
};

// Hears about partitions. Thread: any; must not block; must not call back into the consumer.
class consumer_events {
 public:
  virtual ~consumer_events() = default;
  virtual void assigned(partition_id where) = 0;
  virtual void revoked(partition_id where) = 0;
  virtual void available(partition_id where) = 0;  // new records can be fetched
};

struct log_range {
  std::uint64_t start = 0;  // the first offset that can be read
  std::uint64_t end = 0;    // one past the last record
};

// One plugin's membership in its group. With an empty group (observers) every partition is assigned and positions
// are not kept. Thread: fetch of one partition by one thread at a time, all else any.
class consumer {
 public:
  virtual ~consumer() = default;

  // Reads records from offset `from` on, without waiting; none when there is nothing new. At least one record is
  // returned where there is one, however large. out_of_range: `from` is below the start of the log (the text names
  // both); corrupt: a batch fails its check.
  virtual result<void> fetch(partition_id where, std::uint64_t from, std::size_t max_records, std::size_t max_bytes,
                             fetched& out) = 0;

  // The group has stored `next` as its position: retention and lag count on it.
  virtual void committed(partition_id where, std::uint64_t next) = 0;

  virtual result<log_range> range(partition_id where) const = 0;

  // How many records there are at or after `from`.
  virtual std::uint64_t lag(partition_id where, std::uint64_t from) const = 0;

  // The first offset whose record occurred at or after this time; the end of the log when there is none.
  virtual result<std::uint64_t> offset_at(partition_id where, std::int64_t time_us) const = 0;
};

// Owned by app. Outlives its producers and consumers. Thread: any.
class bus {
 public:
  bus() = default;
  bus(const bus&) = delete;
  bus& operator=(const bus&) = delete;
  virtual ~bus() = default;

  // A UUID made with this bus; a position is meaningful only together with it.
  virtual std::string_view id() const = 0;

  // Opens a topic, making it when it is new. conflict: it exists with another number of partitions.
  virtual result<topic_id> open_topic(const topic_spec& spec) = 0;
  virtual const topic_spec& topic(topic_id id) const = 0;
  virtual std::vector<topic_spec> topics() const = 0;

  virtual result<std::unique_ptr<producer>> open_producer(producer_events& events) = 0;

  // Joins `group` for these topics. assigned() is called for partitions, perhaps before this returns.
  virtual result<std::unique_ptr<consumer>> open_consumer(std::string_view group, std::span<const topic_id> topics,
                                                          consumer_events& events) = 0;

  // Why the bus can't take or give records now, or success. For readiness.
  virtual result<void> health() const = 0;
};

}  // namespace gantry::bus
