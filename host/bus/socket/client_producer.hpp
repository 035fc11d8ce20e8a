// A producer on the owner's bus. It lives as long as one connection.
// Owned by whoever opened it; client_bus knows its state. Thread: append one at a time; what the owner says comes from
// the link's thread.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>

#include "bus/bus.hpp"

namespace gantry::bus::socket {

class client_bus;

// Shared with the bus, so that a call under way keeps it.
class client_producer_state {
 public:
  client_producer_state(std::uint32_t number, producer_events& events) : id(number), events_(&events) {}

  // Notes a ticket before it is sent. An error: why the producer is dead.
  result<void> begin(std::uint64_t ticket);
  // Nothing more can be appended; the first reason stays.
  error end(const error& why);

  void acknowledged(std::uint64_t ticket);
  void failed(std::uint64_t ticket, const error& why);
  // All that wasn't acknowledged has failed.
  void lost(const error& why);
  // No calls follow; waits for one under way, unless it is the caller's own.
  void forget();

  const std::uint32_t id;
  std::uint64_t epoch = 0;  // of the connection it belongs to; doesn't change once it is open

 private:
  std::mutex mutex_;
  std::deque<std::uint64_t> waiting_;  // tickets that aren't acknowledged
  std::optional<error> dead_;
  std::recursive_mutex call_;
  producer_events* events_;
};

class client_producer final : public producer {
 public:
  client_producer(client_bus& of, std::shared_ptr<client_producer_state> state) : bus_(of), state_(std::move(state)) {}
  ~client_producer() override;
  result<void> append(std::uint64_t ticket, std::span<const batch> batches) override;

 private:
  client_bus& bus_;
  const std::shared_ptr<client_producer_state> state_;
};

}  // namespace gantry::bus::socket
