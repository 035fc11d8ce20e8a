// A loopback port that is kept for a child process over all its lives: bound here and never listened at, so that no
// other program gets it while the child is away, and whoever connects meanwhile is refused at once. The child binds it
// with SO_REUSEPORT, which the kernel allows to processes of the same user.
// Owned by whoever starts the child. Thread: any.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "base/result.hpp"

namespace gantry::supervisor {

class reserved_port {
 public:
  // A free port of 127.0.0.1 that `may_be` agrees to; empty: any. io: the system gives none.
  static result<reserved_port> take(const std::function<bool(std::uint16_t)>& may_be = {});

  reserved_port(reserved_port&& other) noexcept;
  reserved_port& operator=(reserved_port&& other) noexcept;
  reserved_port(const reserved_port&) = delete;
  reserved_port& operator=(const reserved_port&) = delete;
  ~reserved_port();  // anybody may have it then

  std::uint16_t number() const noexcept { return number_; }
  std::string address() const { return "127.0.0.1:" + std::to_string(number_); }

 private:
  static result<reserved_port> take_any();
  reserved_port(int socket, std::uint16_t number) noexcept : socket_(socket), number_(number) {}

  int socket_ = -1;
  std::uint16_t number_ = 0;
};

}  // namespace gantry::supervisor
