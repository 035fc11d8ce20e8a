// Bytes of a socket as frames.
// Owned by whoever reads the socket. Thread: one at a time.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "bus/socket/unix_socket.hpp"
#include "bus/socket/wire.hpp"

namespace gantry::bus::socket {

class frame_input {
 public:
  struct frame {
    message kind{};
    std::string_view payload;  // good until the next receive()
  };

  // A longer frame is an error.
  void allow(std::size_t longest) { longest_ = longest; }
  // Takes what is there, without waiting; false: that was all there is for now. unavailable: the other side has gone.
  result<bool> receive(const descriptor& from);
  // The next whole frame. invalid: no frame can begin so.
  result<std::optional<frame>> next();

 private:
  std::string bytes_;  // grows with what has arrived, never with what a length promises
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
  std::size_t longest_ = hello_max;
};

}  // namespace gantry::bus::socket
