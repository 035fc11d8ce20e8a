#include "admin/free_address.hpp"

#include <netdb.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <memory>

#include "topology/address.hpp"

namespace gantry::admin {

bool is_taken(const std::string& address) {
  const auto at = topology::parse_address(address);
  if (!at || at->port == 0) return false;
  addrinfo wanted{};
  wanted.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  wanted.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (getaddrinfo(at->host.empty() ? nullptr : at->host.c_str(), std::to_string(at->port).c_str(), &wanted, &found) !=
      0)
    return false;
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> all(found, freeaddrinfo);
  const int socket = ::socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (socket < 0) return false;
  // Connections that have just ended are in nobody's way: socket(7).
  const int on = 1;
  setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  const bool taken = ::bind(socket, found->ai_addr, found->ai_addrlen) != 0 && errno == EADDRINUSE;
  ::close(socket);
  return taken;
}

}  // namespace gantry::admin
