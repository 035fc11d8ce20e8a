// A consumer on the owner's bus, with what was sent to it ahead of being fetched.
// Owned by whoever opened it; client_bus knows its state. Thread: fetch of one partition by one thread at a time, all
// else any; what the owner says comes from the link's thread.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "bus/bus.hpp"
#include "bus/socket/wire.hpp"

namespace gantry::bus::socket {

class client_bus;

// Records of one frame.
struct record_chunk {
  std::string bytes;
  std::vector<record_run> runs;  // views into bytes
  std::size_t run = 0;           // the first that is left
  std::uint32_t count = 0;       // records left
  std::uint64_t next = 0;
  bool more = false;
  std::size_t charge = 0;  // of the window
};

class client_consumer_state {
 public:
  client_consumer_state(client_bus& of, std::uint32_t id, std::string_view group, std::vector<topic_id> topics,
                        std::span<const partition_id> partitions, consumer_events& events);

  result<void> fetch(partition_id where, std::uint64_t from, std::size_t max_records, std::size_t max_bytes,
                     fetched& out);
  void committed(partition_id where, std::uint64_t next);
  bool knows(partition_id where) const { return places_.contains(where); }
  std::uint64_t last_lag(partition_id where) const;
  void note_lag(partition_id where, std::uint64_t lag);

  // What the owner says. invalid: it breaks the protocol.
  void assigned(partition_id where);
  void revoked(partition_id where);
  void available(partition_id where);
  result<void> records(frame_reader& in, std::size_t charge);
  void fetched_all(partition_id where, std::uint32_t call, result<void> outcome);
  // Everything is revoked.
  void lost();
  // No calls follow; waits for one under way, unless it is the caller's own.
  void forget();

  const std::uint32_t id;
  const std::string group;
  const std::vector<topic_id> topics;

 private:
  struct place {
    mutable std::mutex mutex;
    std::condition_variable changed;
    bool ours = false;
    std::uint32_t term = 0;        // grows with each revocation
    std::uint32_t generation = 0;  // of what is sent ahead; a fetch elsewhere begins another one
    bool flows = false;
    std::uint64_t next = 0;  // where the first chunk begins
    std::deque<record_chunk> chunks;
    std::size_t used = 0;  // of the window, not given back yet
    std::uint32_t call = 0;
    bool waiting = false;  // a fetch waits for records or an answer
    bool answered = false;
    std::optional<error> failure;
    std::uint64_t lag = 0;
    std::optional<std::uint64_t> committed;
  };
  result<void> take(partition_id where, place& from, std::size_t max_records, fetched& out);
  void give_back(partition_id where, place& of, std::size_t bytes);
  // Calls one of the events, unless the consumer is gone.
  void tell(void (consumer_events::*what)(partition_id), partition_id where);

  client_bus& bus_;
  std::map<partition_id, place> places_;  // doesn't change
  std::recursive_mutex call_;
  consumer_events* events_;
};

class client_consumer final : public consumer {
 public:
  client_consumer(client_bus& of, std::shared_ptr<client_consumer_state> state) : bus_(of), state_(std::move(state)) {}
  ~client_consumer() override;

  result<void> fetch(partition_id where, std::uint64_t from, std::size_t max_records, std::size_t max_bytes,
                     fetched& out) override {
    return state_->fetch(where, from, max_records, max_bytes, out);
  }
  void committed(partition_id where, std::uint64_t next) override { state_->committed(where, next); }
  result<log_range> range(partition_id where) const override;
  std::uint64_t lag(partition_id where, std::uint64_t from) const override;
  result<std::uint64_t> offset_at(partition_id where, std::int64_t time_us) const override;

 private:
  client_bus& bus_;
  const std::shared_ptr<client_consumer_state> state_;
};

}  // namespace gantry::bus::socket
