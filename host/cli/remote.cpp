#include "cli/remote.hpp"

#include <cstdio>

#include "cli/answers.hpp"
#include "cli/http_client.hpp"
#include "topology/topology.hpp"

namespace gantry::cli {
namespace {

// An address to listen on everywhere is none to connect to.
std::string to_connect(std::string address) {
  if (address.starts_with("0.0.0.0:")) return "127.0.0.1" + address.substr(7);
  if (address.starts_with("[::]:")) return "[::1]" + address.substr(4);
  return address;
}

std::string without_scheme(std::string address) {
  constexpr std::string_view scheme = "http://";
  if (address.starts_with(scheme)) address.erase(0, scheme.size());
  while (!address.empty() && address.back() == '/') address.pop_back();
  return address;
}

}  // namespace

std::optional<remote_host> find_host(const remote_arguments& arguments) {
  remote_host out{without_scheme(arguments.address), arguments.token};
  if (!out.address.empty() && !out.token.empty()) return out;
  const auto parsed = topology::load_topology(arguments.topology);
  const auto& hosts = parsed.model.hosts;
  if (!hosts.empty()) {
    // An address that was given chooses the host, and with it the token.
    const auto* chosen = &hosts.begin()->second;
    for (const auto& [name, settings] : hosts)
      if (!out.address.empty() && (*settings.http == out.address || *settings.advertise == out.address))
        chosen = &settings;
    const bool same = out.address.empty() || *chosen->http == out.address || *chosen->advertise == out.address;
    if (out.address.empty()) out.address = to_connect(*chosen->http);
    if (out.token.empty() && same) out.token = *chosen->admin.token;
  }
  if (!out.address.empty()) return out;
  for (const auto& p : parsed.problems) std::fprintf(stderr, "%s\n", topology::to_text(p).c_str());
  std::fprintf(stderr, "gantry: no host to ask in %s; name one with --address host:port\n", arguments.topology.c_str());
  return std::nullopt;
}

std::optional<std::string> fetch(const remote_host& host, const std::string& method, const std::string& target) {
  http_question what;
  what.address = host.address;
  what.method = method;
  what.target = target;
  what.token = host.token;
  auto answer = ask(what);
  if (!answer) {
    std::fprintf(stderr, "gantry: %s\n", answer.failure().text.c_str());
    return std::nullopt;
  }
  if (answer->status == 200) return std::move(answer->body);
  std::fprintf(stderr, "gantry: http://%s answered %d: %s\n", host.address.c_str(), answer->status,
               problem_text(answer->body).c_str());
  return std::nullopt;
}

}  // namespace gantry::cli
