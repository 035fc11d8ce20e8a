// Where the records of one partition lie, from its oldest segment to what was appended just now.
// Owned by the journal. Thread: append and reserve under the journal's mutex, all else any.
#pragma once

#include <atomic>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "bus/local/segment.hpp"

namespace gantry::bus::local {

// One consumer's wish to hear of new records. Ends when the consumer goes; the mutex makes that wait for a call.
// It is recursive, so a consumer may be destroyed out of such a call.
struct listener {
  std::recursive_mutex mutex;
  consumer_events* events = nullptr;  // null when the consumer is gone
};

using listener_list = std::vector<std::shared_ptr<listener>>;

// What a segment holds of the partition. `frames` is null once they are to be read from the index file.
struct slice {
  std::shared_ptr<segment> where;
  section summary;
  std::shared_ptr<frame_list> frames;
};

// Some frames of one segment.
struct frame_plan {
  std::shared_ptr<segment> where;
  frame_list frames;
};

class partition_index {
 public:
  partition_index(partition_id where, std::string name, const partition_state& state, frame_cache& cache)
      : where_(where), name_(std::move(name)), state_(state), cache_(cache) {}

  partition_id where() const noexcept { return where_; }
  const std::string& name() const noexcept { return name_; }  // topic/partition, for messages

  // Under the journal's mutex: what is next, before it is published.
  std::uint64_t next = 0;
  std::uint64_t ordinal = 0;
  std::uint64_t reserved_durably = 0;  // offsets below may be given
  std::uint64_t reserved_syncing = 0;
  std::uint64_t reserved = 0;  // written, perhaps not yet synced

  // Makes a frame visible; returns who listens (null: nobody).
  std::shared_ptr<const listener_list> append(const std::shared_ptr<segment>& to, const frame_entry& frame,
                                              std::int64_t appended_us);
  // At the start, oldest segment first.
  void restore(slice older);

  partition_state state() const;  // start, end and ordinal of what is published
  void subscribe(std::shared_ptr<listener> who);
  void unsubscribe(const std::shared_ptr<listener>& who);

  // The frames that hold records from `from` on, up to about so many records and bytes but at least one if there is
  // one. out_of_range below the start.
  result<frame_plan> plan(std::uint64_t from, std::size_t max_records, std::size_t max_bytes) const;
  result<std::uint64_t> lag(std::uint64_t from) const;
  // The first frame whose newest record occurred at or after this time; empty when there is none.
  result<frame_plan> first_since(std::int64_t time_us) const;

  // For sealing and retention.
  std::optional<slice> part_in(const segment& of) const;
  void indexed(const segment& of, const section& summary);  // its frames can be read from the index file now
  std::optional<slice> oldest() const;
  std::uint64_t bytes() const;
  void drop_oldest();

 private:
  // Null when no slice ends above `from`. Called under mutex_.
  const slice* find(std::uint64_t from) const;
  result<std::shared_ptr<const frame_list>> frames_of(const slice& part) const;
  error below_start(std::uint64_t from) const;

  const partition_id where_;
  const std::string name_;
  mutable std::mutex mutex_;
  partition_state state_;
  std::deque<slice> slices_;
  std::shared_ptr<const listener_list> listeners_;
  frame_cache& cache_;
};

}  // namespace gantry::bus::local
