// Shares a bus with other processes of this machine through a Unix socket: open_socket_bus() is the other side.
// Owned by app, of the host that owns the journal. Thread: any; one thread accepts, and each client has one.
#pragma once

#include <chrono>
#include <cstddef>
#include <filesystem>
#include <functional>
#include <memory>
#include <string_view>

#include "base/result.hpp"
#include "bus/bus.hpp"

namespace gantry::bus {

struct bus_server_options {
  std::filesystem::path path;                 // of the socket; its folder exists, and only we may write there
  std::chrono::milliseconds silence{10'000};  // a client that says nothing for so long is given up
  // Thread: any; must not block.
  std::function<void(int syslog_level, std::string_view text)> on_log = nullptr;
};

// Listens until it is destroyed; then all clients are cut off and the socket is removed. What a client appended and was
// not told of stays in the journal: it appends it again, and consumers drop it by its sequence.
class bus_server {
 public:
  virtual ~bus_server() = default;
  virtual std::size_t clients() const = 0;
};

// Begins to listen; the socket's mode is 0600, and only processes of our user or root are let in. A socket that a dead
// owner has left is replaced. `shared` outlives the server.
// conflict: somebody listens there; invalid: there is something else, or the folder is open to others; io.
result<std::unique_ptr<bus_server>> serve_bus(bus& shared, const bus_server_options& options);

}  // namespace gantry::bus
