// Carries a store's outbox to the bus, in commit order.
//
// A batch goes over from memory right after its commit. Rows are read back only at the start and after a delivery
// failure: then the relay opens a fresh producer and begins at the lowest row that the bus has not acknowledged, so
// nothing is skipped and nothing overtakes; consumers drop what they have seen by its sequence number.
//
// When several hosts commit to one store, one relay leads: it hands over its own host's rows from memory as long as
// they follow one another, and else reads back what lies between. The others only count what they have committed. Two
// leaders for a moment do no harm: each sends every row from the lowest unacknowledged one on, in order. Owned by a
// lane. Thread: the lane's, but for the acknowledgements, which come from the bus.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>

#include "base/clock.hpp"
#include "base/result.hpp"
#include "bus/bus.hpp"
#include "store/store.hpp"

namespace gantry::outbox {

// The outbox table, to be created with the runtime's other tables.
inline constexpr std::string_view schema =
    "CREATE TABLE IF NOT EXISTS gantry_outbox (id {key}, source TEXT NOT NULL, bytes BYTEA NOT NULL);";

class relay final : public bus::producer_events {
 public:
  struct counts {
    std::uint64_t appended = 0;      // rows handed to the bus
    std::uint64_t acknowledged = 0;  // the highest row that the bus has stored
    std::uint64_t failures = 0;
    std::uint64_t pending_bytes = 0;  // of rows committed and not acknowledged
  };

  // Finds a topic by the name that a row keeps.
  using topic_lookup = std::function<result<bus::topic_id>(std::string_view name)>;

  // `wake` is called, on any thread, when acknowledgements or failures have come in and the lane should run soon.
  // `shared`: other hosts commit rows too, so that ids may have gaps.
  relay(bus::bus& to, const clock& time, topic_lookup topics, std::function<void()> wake, bool shared = false);
  ~relay() override;
  relay(const relay&) = delete;
  relay& operator=(const relay&) = delete;

  // Begins at the rows that an earlier life, or another leader, has left; `highest` is the greatest id that was ever
  // given to a row, as far as it is known.
  result<void> recover(store::session& session, std::uint64_t highest);

  // From here on another host's relay leads: this one sends nothing. recover() makes it lead.
  void follow();
  bool follows() const { return follows_; }
  // Looks for rows of other hosts at the next catch_up().
  void look();
  // Whether rows were committed here and may still be in the store; asked while it follows.
  bool waits() const;
  // What the leader has deleted is on the bus: rows below the lowest one that is left.
  result<void> observe(store::session& session);

  // Says that row `id` was committed with these batches. Hands them to the bus unless the relay is behind; then the row
  // waits in the store.
  void committed(std::uint64_t id, std::span<const bus::batch> batches, std::size_t bytes);

  // True when rows must be read back and the pause after the last failure is over.
  bool wants_catch_up() const;
  // True when every committed row was handed to a living producer, or that is another host's affair.
  bool current() const { return !behind_.load(std::memory_order_acquire); }
  // Committed rows wait because the bus does not take them, not just to be read back. What it took may be refused
  // later, so this ends only with an acknowledgement.
  bool stuck() const { return failing_.load(std::memory_order_acquire) || (!current() && !looks_); }
  // Row ids went back: the store has lost commits. recover() with `highest` 0 begins anew.
  bool wants_recovery() const { return recount_; }
  // Reads rows back and hands them over, a few at a time; call again while wants_catch_up().
  void catch_up(store::session& session);

  // Rows up to this one are on the bus and can be deleted.
  std::uint64_t acknowledged_through() const { return acknowledged_.load(std::memory_order_acquire); }
  // The greatest id that is known of.
  std::uint64_t highest() const { return highest_; }
  std::uint64_t pending_bytes() const { return pending_bytes_.load(std::memory_order_relaxed); }
  counts count() const;
  // What the last failure was. `unavailable`: the bus, or the store with the rows, could not be reached. No text: there
  // was none, or the bus has taken rows since.
  error last_error() const;

  void acknowledged(std::uint64_t ticket) override;
  void failed(std::uint64_t ticket, const error& why) override;

 private:
  struct sent {
    std::uint64_t id;
    std::size_t bytes;
  };
  void fall_behind(const error& why);
  void begin_after(std::uint64_t id, std::uint64_t waiting);
  void note_acknowledged(std::uint64_t id);
  bool open_producer();
  void forget_failure();  // under mutex_

  bus::bus& bus_;
  const clock& clock_;
  const topic_lookup topics_;
  const std::function<void()> wake_;
  const bool shared_;
  bool follows_ = false;
  bool looks_ = false;    // it is behind only in order to read what other hosts have committed
  bool recount_ = false;  // an id was not above those before it
  std::unique_ptr<bus::producer> producer_;
  std::atomic<bool> behind_{false};
  std::atomic<bool> broken_{false};   // set by the bus; the lane then falls behind
  std::atomic<bool> failing_{false};  // since the last failure the bus has acknowledged nothing
  std::atomic<std::uint64_t> acknowledged_{0};
  std::atomic<std::uint64_t> pending_bytes_{0};
  std::uint64_t highest_ = 0;  // row committed last
  std::uint64_t handed_ = 0;   // row handed over last
  std::int64_t retry_at_us_ = 0;
  std::int64_t pause_us_ = 0;
  std::uint64_t failed_at_ = 0;  // acknowledged_ at the last failure
  std::uint64_t appended_ = 0;
  std::atomic<std::uint64_t> failures_{0};
  mutable std::mutex mutex_;
  std::vector<sent> in_flight_;  // guarded by mutex_, ids grow
  std::size_t in_flight_from_ = 0;
  error last_error_;  // guarded by mutex_
};

}  // namespace gantry::outbox
