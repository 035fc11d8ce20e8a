#include "admin/access.hpp"

#include "http/problem.hpp"

namespace gantry::admin {
namespace {

bool is_loopback(std::string_view address) noexcept {
  if (address.starts_with("::ffff:")) address.remove_prefix(7);
  return address == "::1" || address.starts_with("127.");
}

// A name other than localhost may be anybody's: a page that had its own name point here would be let in.
bool names_this_machine(std::string_view host) noexcept {
  return host.empty() || host.starts_with("127.") || host.starts_with("[::1]") || host == "localhost" ||
         host.starts_with("localhost:");
}

// What a browser or a proxy adds comes from somebody else than the program that connected.
bool speaks_for_another(const http::request& in) noexcept {
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
