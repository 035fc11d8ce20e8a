// An open transaction, as plugin code sees it through the ABI's opaque types: its statements, and what it wants to
// happen with the commit: events, jobs, timers, a reply.
// Owned by a lane and used again for each batch. Thread: the lane's.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "bus/bus.hpp"
#include "gantry/abi/http.h"
#include "gantry/abi/store.h"
#include "gantry/abi/types.h"
#include "runtime/reply.hpp"
#include "store/store.hpp"

namespace gantry::runtime {
class instance;

// Why something happens: goes into the metadata of what follows from it.
struct cause {
  std::string_view correlation_id;
  std::string_view causation_id;
  std::string_view traceparent;
};

struct timer_change {
  bool armed = false;  // else disarmed
  bool after_ack = false;
  std::uint32_t kind = 0;
  std::string key;
  std::int64_t delay_us = 0;
};

// A job that this transaction wrote, claimed for this process, to be run once it has committed.
struct ready_job {
  std::uint32_t kind = 0;
  std::string id;
  std::string key;
  std::string payload;
  std::string correlation_id;
  std::uint32_t attempt = 1;
  std::int64_t due_us = 0;
};

}  // namespace gantry::runtime

// Statements of one session, through the ABI. At most 16 cursors are open.
struct gantry_cursor {
  gantry::store::cursor* rows = nullptr;
  gantry_db* db = nullptr;
};
struct gantry_db {
  gantry::store::session* session = nullptr;
  bool writable = false;
  std::array<gantry_cursor, 16> cursors{};

  // Closes what a handler left open.
  void close_cursors() noexcept;
};

namespace gantry::runtime {

// Events of a transaction, encoded, by partition; kept until the commit is durable. Used again and again.
struct outgoing {
  struct part {
    bus::partition_id where;
    std::string_view topic;
    std::string bytes;
    std::uint32_t count = 0;
  };
  std::vector<part> parts;
  std::size_t used = 0;  // of parts
  std::size_t row_size = 0;

  // As the bus takes them; views into this, good until the next call.
  std::span<const bus::batch> batches(std::string_view source);

 private:
  std::vector<bus::batch> batches_;
};

}  // namespace gantry::runtime

struct gantry_tx {
 public:
  struct mark {
    std::size_t events = 0;
    std::size_t timers = 0;
    std::size_t jobs = 0;
    std::size_t dropped_jobs = 0;
  };

  // Of an event's number, below the number of its outbox row: room for a million events in one transaction.
  static constexpr unsigned number_bits = 20;

  explicit gantry_tx(gantry::runtime::instance& of_instance) : owner(&of_instance) {}
  gantry_tx(const gantry_tx&) = delete;
  gantry_tx& operator=(const gantry_tx&) = delete;

  // Starts anew on this session; row ids of the outbox and numbers of events follow from `row`.
  void begin(gantry::store::session& session, std::uint64_t row, std::int64_t wall_us);

  // Encodes an event into the outbox. Statuses as gantry_bus_1::emit.
  gantry_status emit(std::string_view topic, std::string_view type, std::string_view key, std::string_view data,
                     char* id);
  // The same for a copy that goes to a topic of the runtime's own (a dead letter), as it is.
  void emit_raw(gantry::bus::partition_id where, std::string_view topic, gantry::bus::record event);

  mark here() const { return {emitted_.size(), timers.size(), jobs.size(), dropped_jobs.size()}; }
  // Forgets what came after the mark.
  void back_to(const mark& m);

  bool has_events() const { return !emitted_.empty(); }
  std::size_t event_count() const { return emitted_.size(); }
  // The outbox row's bytes. A view, good until the next begin().
  std::string_view row_bytes();
  // Changes places with `to`, whose room is used again.
  void hand_over(gantry::runtime::outgoing& to);

  gantry::runtime::instance* owner;  // whose code works on it now
  gantry_db db;
  gantry::runtime::cause why;
  bool usable = false;      // a handler is running
  bool suppressed = false;  // replay: emits, jobs and timers do nothing
  std::optional<gantry::runtime::reply> reply;
  std::vector<gantry::runtime::timer_change> timers;
  std::vector<gantry::runtime::ready_job> jobs;
  std::vector<std::string> dropped_jobs;  // ids of jobs that wait in memory and are not to begin
  std::int64_t now_us = 0;

 private:
  struct emitted {
    std::uint32_t slot = 0;
    std::size_t size_before = 0;
  };
  std::uint32_t slot_for(gantry::bus::partition_id where, std::string_view topic);

  gantry::runtime::outgoing out_;
  std::vector<emitted> emitted_;
  std::string row_bytes_;
  std::uint64_t row_ = 0;
};
