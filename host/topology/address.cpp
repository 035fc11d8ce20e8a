#include "topology/address.hpp"

#include <algorithm>
#include <charconv>

namespace gantry::topology {
namespace {

bool is_name(std::string_view host) noexcept {
  return std::ranges::all_of(host, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '-' ||
           c == '_';
  });
}

bool is_ipv6(std::string_view host) noexcept {
  return host.find(':') != std::string_view::npos && std::ranges::all_of(host, [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F') || c == ':' || c == '.';
         });
}

bool is_everything(const network_address& address) noexcept {
  return address.host == "0.0.0.0" || address.host == "::";
}

}  // namespace

std::optional<network_address> parse_address(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  std::string_view host = text.substr(0, colon);
  const std::string_view port_text = text.substr(colon + 1);
  std::uint16_t port = 0;
  const char* end = port_text.data() + port_text.size();
  const auto [stop, code] = std::from_chars(port_text.data(), end, port);
  if (code != std::errc{} || stop != end) return std::nullopt;
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
    if (!is_ipv6(host)) return std::nullopt;
  } else if (!is_name(host)) {
    return std::nullopt;
  }
  return network_address{host.empty() ? "0.0.0.0" : std::string(host), port};
}

bool is_loopback(const network_address& address) noexcept {
  return address.host == "localhost" || address.host == "::1" || address.host.starts_with("127.");
}

bool collide(const network_address& one, const network_address& other) noexcept {
  if (one.port == 0 || one.port != other.port) return false;
  const auto canonical = [](const network_address& a) { return a.host == "localhost" ? "127.0.0.1" : a.host; };
  return is_everything(one) || is_everything(other) || canonical(one) == canonical(other);
}

}  // namespace gantry::topology
