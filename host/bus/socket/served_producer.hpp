// A client's producer on the owner's bus.
// Owned by a server_connection. Thread: the connection's, but for what the bus calls.
#pragma once

#include <memory>
#include <span>

#include "bus/bus.hpp"
#include "bus/socket/server_notices.hpp"

namespace gantry::bus::socket {

class served_producer final : public producer_events {
 public:
  served_producer(std::uint32_t id, server_notices& notices) : id_(id), notices_(notices) {}
  ~served_producer() override { producer_.reset(); }

  result<void> open(bus& on) {
    auto opened = on.open_producer(*this);
    if (!opened) return std::move(opened).failure();
    producer_ = std::move(*opened);
    return {};
  }

  // What comes behind a failure was sent before the client heard of it: none of it may be stored.
  void append(std::uint64_t ticket, std::span<const batch> batches) {
    if (dead_) return;
    if (auto done = producer_->append(ticket, batches); !done) {
      dead_ = true;
      notices_.failed(id_, ticket, done.failure());
    }
  }

  void acknowledged(std::uint64_t ticket) override { notices_.acknowledged(id_, ticket); }
  void failed(std::uint64_t ticket, const error& why) override { notices_.failed(id_, ticket, why); }

 private:
  const std::uint32_t id_;
  server_notices& notices_;
  std::unique_ptr<producer> producer_;
  bool dead_ = false;
};

}  // namespace gantry::bus::socket
