// What the journal tells about a client's producers and consumers, on its own threads, until the connection's thread
// writes it down. Of each producer and partition at most one entry waits, so a slow client costs no memory.
// Owned by a server_connection. Thread: any.
#pragma once

#include <cstdint>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include "base/result.hpp"
#include "bus/bus.hpp"
#include "bus/socket/unix_socket.hpp"

namespace gantry::bus::socket {

class server_notices {
 public:
  struct delivery {  // of a producer
    std::uint32_t producer = 0;
    std::optional<std::uint64_t> acknowledged;
    std::optional<std::pair<std::uint64_t, error>> failed;
  };
  struct membership {
    std::uint32_t consumer = 0;
    partition_id where;
    bool assigned = false;
  };
  struct news {  // new records
    std::uint32_t consumer = 0;
    partition_id where;
  };
  struct taken {
    std::vector<delivery> deliveries;
    std::vector<membership> memberships;
    std::vector<news> available;
    bool empty() const { return deliveries.empty() && memberships.empty() && available.empty(); }
  };

  explicit server_notices(wake_event event) : event_(std::move(event)) {}
  const wake_event& event() const noexcept { return event_; }

  void acknowledged(std::uint32_t producer, std::uint64_t ticket);
  void failed(std::uint32_t producer, std::uint64_t ticket, const error& why);
  void changed(membership what);
  void available(news what);
  void wake() { event_.wake(); }

  // All since the last call; `out` is emptied before.
  void take(taken& out);

 private:
  delivery& of(std::uint32_t producer);
  void wake_once();

  wake_event event_;
  std::mutex mutex_;
  taken waiting_;       // guarded by mutex_
  bool woken_ = false;  // guarded by mutex_
};

}  // namespace gantry::bus::socket
