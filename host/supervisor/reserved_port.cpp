#include "supervisor/reserved_port.hpp"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>
#include <vector>

namespace gantry::supervisor {

result<reserved_port> reserved_port::take(const std::function<bool(std::uint16_t)>& may_be) {
  // Kept until the end, so that the system does not offer the same again.
  std::vector<reserved_port> refused;
  for (;;) {
    auto offered = take_any();
    if (!offered || !may_be || may_be(offered->number())) return offered;
    refused.push_back(std::move(*offered));
  }
}

result<reserved_port> reserved_port::take_any() {
  const auto failed = [](const char* what) {
    return error{errc::io, std::string("reserving a port: ") + what + ": " + std::strerror(errno)};
  };
  const int made = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (made < 0) return failed("socket");
  reserved_port out(made, 0);
  const int on = 1;
  if (setsockopt(made, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) != 0) return failed("SO_REUSEPORT");
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof at;
  if (bind(made, reinterpret_cast<const sockaddr*>(&at), size) != 0) return failed("bind");
  if (getsockname(made, reinterpret_cast<sockaddr*>(&at), &size) != 0) return failed("getsockname");
  out.number_ = ntohs(at.sin_port);
  return out;
}

reserved_port::reserved_port(reserved_port&& other) noexcept
    : socket_(std::exchange(other.socket_, -1)), number_(other.number_) {}

reserved_port& reserved_port::operator=(reserved_port&& other) noexcept {
  std::swap(socket_, other.socket_);
  std::swap(number_, other.number_);
  return *this;
}

reserved_port::~reserved_port() {
  if (socket_ >= 0) close(socket_);
}

}  // namespace gantry::supervisor
