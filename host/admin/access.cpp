#include "admin/access.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <string>

#include "http/problem.hpp"

namespace gantry::admin {
namespace {

// Of 127.0.0.0/8, in full: 127.page.example is a name.
bool is_loopback_v4(std::string_view text) {
  in_addr address{};
  return inet_pton(AF_INET, std::string(text).c_str(), &address) == 1 && ntohl(address.s_addr) >> 24U == 127;
}

bool is_loopback(std::string_view address) {
  if (address.starts_with("::ffff:")) address.remove_prefix(7);
  return address == "::1" || is_loopback_v4(address);
}

// Nothing, or a colon and digits.
bool is_port(std::string_view text) noexcept {
  return text.empty() || (text.size() > 1 && text[0] == ':' &&
                          std::ranges::all_of(text.substr(1), [](char c) { return c >= '0' && c <= '9'; }));
}

// A name other than localhost may be anybody's: a page that had its own name point here would be let in. So whatever is
// not exactly one of these is refused. A program may leave the header out, a browser never does.
bool names_this_machine(std::string_view host) {
  if (host.empty()) return true;
  constexpr std::string_view v6 = "[::1]";
  if (host.starts_with(v6)) return is_port(host.substr(v6.size()));
  const auto name = host.substr(0, host.find(':'));
  return is_port(host.substr(name.size())) && (name == "localhost" || is_loopback_v4(name));
}

// What a browser or a proxy adds comes from somebody else than the program that connected.
bool speaks_for_another(const http::request& in) {
  for (const std::string_view name : {"origin", "forwarded", "x-forwarded-for"})
    if (!http::find_header(in.headers, name).empty()) return true;
  return !names_this_machine(http::find_header(in.headers, "host"));
}

}  // namespace

bool same_text(std::string_view given, std::string_view expected) noexcept {
  unsigned difference = given.size() == expected.size() ? 0U : 1U;
  for (std::size_t i = 0; i < given.size(); ++i) {
    const char other = expected.empty() ? '\0' : expected[i % expected.size()];
    difference |= static_cast<unsigned>(static_cast<unsigned char>(given[i] ^ other));
  }
  return difference == 0;
}

std::optional<http::reply> access::refuse(const http::request& in) const {
  if (tokens_.empty()) {
    if (is_loopback(in.remote) && !speaks_for_another(in)) return std::nullopt;
    return http::problem(403,
                         "/admin answers programs on this machine; set admin.token of the host to open it to others");
  }
  constexpr std::string_view scheme = "Bearer ";
  const auto credentials = http::find_header(in.headers, "authorization");
  bool known = false;
  if (credentials.starts_with(scheme))
    for (const auto& token : tokens_) known = same_text(credentials.substr(scheme.size()), token) || known;
  if (known) return std::nullopt;
  auto refused = http::problem(401, "/admin of this host asks for its token: Authorization: Bearer <admin.token>");
  refused.headers.push_back({"www-authenticate", "Bearer realm=\"gantry\""});
  return refused;
}

}  // namespace gantry::admin
