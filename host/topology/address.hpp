// Network addresses as the topology writes them: host:port.
// Thread: any.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace gantry::topology {

struct network_address {
  std::string host;        // a name, an IPv4 address, or an IPv6 address without its brackets; "0.0.0.0" for all
  std::uint16_t port = 0;  // 0: any free one
};

// "127.0.0.1:8080", "[::1]:8080", "shop-0.local:80", ":8080" (every interface). Nothing when it is no address.
std::optional<network_address> parse_address(std::string_view text);

// Only this machine can reach it.
bool is_loopback(const network_address& address) noexcept;

// Whether two sockets of one machine can't listen on both.
bool collide(const network_address& one, const network_address& other) noexcept;

}  // namespace gantry::topology
