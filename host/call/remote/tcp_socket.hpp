// A TCP connection that never blocks: every wait has a deadline.
// Owned by a channel. Thread: one at a time.
#pragma once

#include <sys/socket.h>

#include <cstddef>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "call/remote/deadline.hpp"

namespace gantry::call {

struct socket_address {
  sockaddr_storage bytes{};
  socklen_t size = 0;
};

// How an operation on a connection ended.
enum class io {
  ok,
  blocked,  // nothing could be moved now
  ended,    // the other side sends no more
  timed_out,
  broken,
};

class tcp_socket {
 public:
  // Errors: timeout, unavailable (refused, unreachable), io (no descriptor left).
  static result<tcp_socket> connect(const socket_address& to, const deadline& by);

  tcp_socket(tcp_socket&& other) noexcept;
  tcp_socket& operator=(tcp_socket&& other) = delete;
  ~tcp_socket();

  // Sends what the system takes now and cuts it off the front of `bytes`: ok, blocked or broken.
  io send(std::string_view& bytes) noexcept;
  // Receives what is there, at most `size` bytes: ok, blocked, ended or broken.
  io receive(char* to, std::size_t size, std::size_t& got) noexcept;

  // Waits for POLLIN, POLLOUT or both; the events that came, 0 at the deadline.
  short wait(short events, const deadline& by) const noexcept;

  // True when nothing has come since the last reply: neither bytes nor the end.
  bool quiet() const noexcept;

  // Why the last operation was broken, in the system's words.
  std::string reason() const;

 private:
  explicit tcp_socket(int fd) noexcept : fd_(fd) {}

  int fd_;
  int error_ = 0;
};

}  // namespace gantry::call
