// A client that says what a test wants it to say.
#pragma once

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <utility>

#include "bus/socket/frame_input.hpp"
#include "bus/socket/unix_socket.hpp"
#include "bus/socket/wire.hpp"

namespace gantry::bus::socket::testing {

class raw_client {
 public:
  explicit raw_client(const std::filesystem::path& path) : event_(std::move(*wake_event::make())) {
    auto connected = connect_to(path);
    EXPECT_TRUE(connected) << (connected ? "" : connected.failure().text);
    if (connected) stream_ = std::move(*connected);
    input_.allow(frame_max);
  }
  explicit raw_client(descriptor stream) : stream_(std::move(stream)), event_(std::move(*wake_event::make())) {
    input_.allow(frame_max);
  }

  void send(std::string bytes) {
    while (!bytes.empty()) {
      const auto sent = send_some(stream_, bytes);
      if (!sent) return;
      bytes.erase(0, *sent);
      if (*sent == 0) wait_for(stream_, false, true, event_, std::chrono::seconds{10});
    }
  }
  void hello(std::uint16_t version = protocol_version, std::uint32_t magic = protocol_magic) {
    std::string out;
    frame_writer(out, message::hello).u32(magic).u16(version).u32(1).text("instance").text("raw");
    send(std::move(out));
  }
  // The next frame of this kind, its payload; nothing when the connection has ended before.
  std::optional<std::string> next(message kind) {
    while (true) {
      auto frame = input_.next();
      if (!frame) return std::nullopt;
      if (*frame && (*frame)->kind == kind) return std::string((*frame)->payload);
      if (*frame) continue;
      wait_for(stream_, true, false, event_, std::chrono::seconds{10});
      if (!input_.receive(stream_)) return std::nullopt;
    }
  }
  bool is_cut_off() { return !next(static_cast<message>(0)); }

 private:
  descriptor stream_;
  wake_event event_;
  frame_input input_;
};

}  // namespace gantry::bus::socket::testing
