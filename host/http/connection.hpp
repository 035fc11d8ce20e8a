// What a transport knows of one connection.
// Owned by a transport. Thread: the transport's.
#pragma once

#include <pistache/peer.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <utility>

#include "http/channel.hpp"
#include "http/conversation.hpp"
#include "http/exchange.hpp"

namespace gantry::http {

struct connection {
  using time_point = std::chrono::steady_clock::time_point;
  using phase = conversation::phase;

  connection(std::shared_ptr<Pistache::Tcp::Peer> who, std::uint64_t number, const wire_limits& limits,
             std::unique_ptr<tls_stream> tls)
      : peer(std::move(who)),
        fd(peer->fd()),
        id(number),
        remote(peer->address().host()),
        talk(limits),
        bytes(fd, std::move(tls)) {}

  std::size_t unsent() const noexcept { return bytes.unsent(talk); }

  std::shared_ptr<Pistache::Tcp::Peer> peer;
  int fd;
  std::uint64_t id;
  std::string remote;
  conversation talk;
  channel bytes;
  std::string identity;               // by its certificate
  std::shared_ptr<exchange> handled;  // the request that waits for its answer
  std::uint64_t requests = 0;
  std::uint64_t counted = 0;  // its weight in the mailbox's in_progress
  bool met = false;           // how its handshake ended is told
  bool ended = false;         // the client sends no more
  bool lingering = false;     // everything is sent and our side is shut
  int interest = -1;          // as registered; -1: not by us yet

  // What the deadline was set for: phase, number of requests, and whether output waits. Another step sets another.
  std::optional<std::tuple<phase, std::uint64_t, bool>> step;
  time_point deadline = time_point::max();
};

}  // namespace gantry::http
