// The local bus of another process of this machine, through its owner's Unix socket.
// Owned by app. Thread: any; one thread of its own reads the socket and makes all calls to events.
#pragma once

#include <chrono>
#include <cstddef>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "bus/bus.hpp"

namespace gantry::bus {

struct socket_bus_options {
  std::filesystem::path path;  // where the owner listens
  // Names this process to the owner, which takes one of a name at a time; as a rule the host's name. Empty: none.
  std::string member;
  std::chrono::milliseconds connect_wait{0};     // how long opening waits for an owner that isn't there yet
  std::chrono::milliseconds longest_pause{500};  // between two attempts to connect again
  std::chrono::milliseconds silence{10'000};     // an owner that says nothing for so long is given up
  std::size_t window_bytes = 256U << 10;         // of one partition, received and not fetched yet
  std::size_t send_bytes = 8U << 20;             // appended and not sent yet; beyond it an append waits
  // Thread: any; must not block.
  std::function<void(int syslog_level, std::string_view text)> on_log = nullptr;
};

// Connects to the owner. Topics, groups, offsets and promises are those of the owner's journal.
//
// When the owner goes, health() says unavailable, producers fail, partitions are revoked, and what waits for an answer
// gets `unavailable`. The bus connects again by itself; consumers then join their groups again. An owner with another
// bus behind the same path is refused: health() says so.
//
// Producers and consumers must be gone before the bus is. Neither may be destroyed while holding a lock that its
// callbacks take.
//
// unavailable: nobody listens or answers; conflict: a process of this member name is connected, or the owner is another
// user's; unsupported: the owner speaks another version of the protocol, the text says which; io.
result<std::unique_ptr<bus>> open_socket_bus(const socket_bus_options& options);

}  // namespace gantry::bus
