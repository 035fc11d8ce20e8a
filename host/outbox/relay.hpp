// Carries a store's outbox to the bus, in commit order.
//
// A batch goes over from memory right after its commit. Rows are read back only at the start and after a delivery failure:
// then the relay opens a fresh producer and begins at the lowest row that the bus has not acknowledged, so nothing is
// skipped and nothing overtakes; consumers drop what they have seen by its sequence number.
// Owned by a lane. Thread: the lane's, but for the acknowledgements, which come from the bus.
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
  relay(bus::bus& to, const clock& time, topic_lookup topics, std::function<void()> wake);
  ~relay() override;
  relay(const relay&) = delete;
  relay& operator=(const relay&) = delete;

  // The rows that an earlier life has left; `highest` is the greatest id that was ever given to a row. Before anything is committed.
  result<void> recover(store::session& session, std::uint64_t highest);

  // Says that row `id` was committed with these batches. Hands them to the bus unless the relay is behind; then the row waits
  // in the store.
  void committed(std::uint64_t id, std::span<const bus::batch> batches, std::size_t bytes);

  // True when rows must be read back and the pause after the last failure is over.
  bool wants_catch_up() const;
  // True when every committed row was handed to a living producer.
  bool current() const { return !behind_.load(std::memory_order_acquire); }
  // Reads rows back and hands them over, a few at a time; call again while wants_catch_up().
  void catch_up(store::session& session);

  // Rows up to this one are on the bus and can be deleted.
  std::uint64_t acknowledged_through() const { return acknowledged_.load(std::memory_order_acquire); }
  std::uint64_t pending_bytes() const { return pending_bytes_.load(std::memory_order_relaxed); }
  counts count() const;
  std::string last_error() const;

  void acknowledged(std::uint64_t ticket) override;
  void failed(std::uint64_t ticket, const error& why) override;

 private:
  struct sent {
    std::uint64_t id;
    std::size_t bytes;
  };
  void fall_behind(const error& why);
  bool open_producer();

  bus::bus& bus_;
  const clock& clock_;
  const topic_lookup topics_;
  const std::function<void()> wake_;
  std::unique_ptr<bus::producer> producer_;
  std::atomic<bool> behind_{false};
  std::atomic<bool> broken_{false};  // set by the bus; the lane then falls behind
  std::atomic<std::uint64_t> acknowledged_{0};
  std::atomic<std::uint64_t> pending_bytes_{0};
  std::uint64_t highest_ = 0;    // row committed last
  std::uint64_t handed_ = 0;     // row handed over last
  std::int64_t retry_at_us_ = 0;
  std::int64_t pause_us_ = 0;
  std::uint64_t appended_ = 0;
  std::atomic<std::uint64_t> failures_{0};
  mutable std::mutex mutex_;
  std::vector<sent> in_flight_;  // guarded by mutex_, ids grow
  std::size_t in_flight_from_ = 0;
  std::string last_error_;  // guarded by mutex_
};

}  // namespace gantry::outbox
