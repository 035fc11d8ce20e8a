// The journal of one process: takes appends into memory, writes them to segments, syncs these, removes old ones. One
// sync serves all partitions.
// Owned by journal_bus. Thread: any; of its own two threads one writes when much is waiting, one writes and syncs.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <shared_mutex>
#include <string>
#include <thread>
#include <vector>

#include "bus/local/local_bus.hpp"
#include "bus/local/partition_index.hpp"
#include "bus/local/recovery.hpp"
#include "bus/local/tail.hpp"

namespace gantry::bus::local {

// One producer, as the journal sees it.
struct producer_state {
  std::recursive_mutex mutex;         // held during calls to events
  producer_events* events = nullptr;  // null when the producer is gone

  // Under the journal's mutex.
  struct span {
    std::uint64_t first = 0;
    std::uint64_t last = 0;
  };
  std::optional<span> written;  // tickets not yet covered by a sync
  std::optional<span> syncing;
  bool dead = false;
};

// Frames of one append, laid out but for what the journal decides: offsets, positions, times.
struct append_group {
  struct part {
    partition_index* partition = nullptr;
    std::size_t at = 0;  // in bytes
    std::uint32_t length = 0;
    std::uint32_t count = 0;
    std::uint16_t source = 0;
    std::uint32_t payload_crc = 0;
    std::int64_t newest_us = 0;
    std::uint64_t base = 0;
    std::uint64_t ordinal = 0;
    std::shared_ptr<const listener_list> listeners;
  };
  std::string bytes;
  std::vector<part> parts;
};

class journal {
 public:
  static result<std::unique_ptr<journal>> open(const local_bus_options& options);
  ~journal();  // closes cleanly when nothing has failed

  const std::string& bus_id() const noexcept { return bus_id_; }
  result<topic_id> open_topic(const topic_spec& spec);
  const topic_spec& topic(topic_id id) const;
  std::vector<topic_spec> topics() const;
  partition_index* find(partition_id where) const;  // null: there is none
  const tail& newest() const noexcept { return tail_; }

  void add(std::shared_ptr<producer_state> who);
  void remove(const std::shared_ptr<producer_state>& who);
  result<void> append(producer_state& who, std::uint64_t ticket, append_group& group);

  // A consumer of the group opens or goes. What the group's consumers read when one opens counts for retention, what
  // they read before no more.
  void join(std::string_view group, std::span<const topic_id> topics);
  void leave(std::string_view group, const std::vector<topic_id>& topics);
  void commit(std::string_view group, partition_id where, std::uint64_t next);

  // failed for good, or unavailable while the disk is full.
  result<void> health() const;

  // What the journal's own thread does from time to time, now. Errors of sync() are also in health().
  result<void> sync();
  void retain();

 private:
  struct topic_entry {
    std::vector<std::unique_ptr<const topic_spec>> specs;  // all ever given out; the last one counts
    std::vector<std::unique_ptr<partition_index>> partitions;
  };
  struct sealed_segment {
    std::shared_ptr<segment> where;
    std::uint64_t size = 0;
    std::uint64_t state_at = 0;
    bool synced = false;
    bool indexed = false;
  };
  struct active_segment {
    std::shared_ptr<segment> where;
    std::uint64_t size = 0;
    std::uint64_t state_at = 0;
    bool has_records = false;
  };

  explicit journal(const local_bus_options& options);
  result<void> start();
  void restore(recovered_journal& found);

  // journal.cpp: under mutex_.
  journal_state snapshot() const;
  std::string state_frame(std::uint64_t position, bool clean);
  void append_state(bool clean);
  char* take(std::size_t bytes);
  result<void> take_turn(std::unique_lock<std::mutex>& lock, producer_state& who, append_group& group);
  void place(append_group& group, std::int64_t now_us);
  result<void> roll();
  bool assign(append_group& group);  // false, and nothing assigned, when offsets must be reserved first
  static void take_back(append_group& group, std::size_t parts);
  void publish(append_group& group, std::int64_t now_us);
  std::uint64_t end() const noexcept { return active_.where->start() + active_.size; }
  void for_each_partition(const std::function<void(partition_index&)>& visit) const;
  void mark_dirty();

  // write.cpp
  void run_writer();
  result<void> write(bool all);
  result<void> write_for_sync();
  static result<void> write_piece(const piece& part);
  void not_written(const error& why);

  // sync.cpp
  struct round {
    std::vector<sealed_segment> sealed;
    std::vector<std::shared_ptr<producer_state>> waiting;
    active_segment active;
    std::uint64_t target = 0;
    bool names = false;
    bool reserving = false;
  };
  void run();
  void tidy();
  round begin_round();
  void put_back(const round& unfinished);
  result<void> sync_files(const round& of);
  void fail(const error& why);
  void write_indexes();
  result<void> write_index_of(const sealed_segment& part);
  void write_mark();
  void write_positions();

  // retention.cpp
  bool disposable(const slice& part, const topic_spec& spec, std::uint64_t bytes_of_topic, std::int64_t now_us) const;
  bool drop_oldest_segment(std::vector<std::uint64_t>& topic_bytes, std::vector<sealed_segment>& dropped);

  const local_bus_options options_;
  file_system& files_;
  std::unique_ptr<directory_lock> lock_;
  frame_cache cache_;
  std::string bus_id_;

  mutable std::shared_mutex topics_mutex_;  // taken after mutex_
  std::deque<topic_entry> topics_;

  mutable std::mutex groups_mutex_;  // taken after mutex_ and topics_mutex_
  std::map<std::string, group_positions, std::less<>> groups_;
  std::map<std::string, std::multiset<topic_id>, std::less<>> joined_;  // the topics of each group's consumers
  bool positions_dirty_ = false;

  mutable std::mutex mutex_;
  tail tail_;
  active_segment active_;
  std::deque<sealed_segment> sealed_;
  std::vector<std::shared_ptr<producer_state>> producers_;
  std::uint64_t synced_ = 0;  // all before this position is durable
  std::uint64_t marked_ = 0;  // the synced position that the last mark told
  bool dirty_ = false;
  bool names_dirty_ = false;
  bool reserving_ = false;
  bool stopping_ = false;
  std::size_t appends_waiting_ = 0;  // for room in memory
  bool sync_waits_ = false;          // for its turn to write
  std::optional<error> failed_;      // for good
  std::optional<error> refused_;     // until a write works again
  std::condition_variable wake_;
  std::condition_variable wake_writer_;
  std::condition_variable written_now_;
  std::condition_variable synced_now_;

  std::mutex write_mutex_;    // one write at a time; taken before mutex_
  std::mutex sync_mutex_;     // one sync at a time; taken before write_mutex_
  std::mutex tidying_mutex_;  // one of index writing and retention at a time; taken before sync_mutex_
  std::thread thread_;
  std::thread writer_;
};

}  // namespace gantry::bus::local
