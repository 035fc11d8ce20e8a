#include "cli/remote.hpp"

#include <algorithm>
#include <cstdio>

#include "cli/answers.hpp"
#include "cli/hosts.hpp"
#include "topology/address.hpp"
#include "topology/topology.hpp"

namespace gantry::cli {
namespace {

// An address to listen on everywhere is none to connect to.
std::string to_connect(std::string address) {
  if (address.starts_with("0.0.0.0:")) return "127.0.0.1" + address.substr(7);
  if (address.starts_with("[::]:")) return "[::1]" + address.substr(4);
  if (address.starts_with(":")) return "127.0.0.1" + address;
  return address;
}

// The address without its scheme; `secure` when that is https.
std::string without_scheme(std::string address, bool& secure) {
  constexpr std::string_view plain = "http://", with_tls = "https://";
  secure = address.starts_with(with_tls);
  if (secure) address.erase(0, with_tls.size());
  if (address.starts_with(plain)) address.erase(0, plain.size());
  while (!address.empty() && address.back() == '/') address.pop_back();
  return address;
}

bool only_this_machine(const std::string& address) {
  const auto at = topology::parse_address(address);
  return at && topology::is_loopback(*at);
}

bool is_at(const topology::host_settings& settings, const std::string& address) {
  return *settings.http == address || *settings.advertise == address || *settings.admin.address == address;
}

bool runs(const topology::plugin_settings& plugin, const std::string& host) {
  return std::ranges::any_of(plugin.hosts, [&](const auto& one) { return *one == host; });
}

// The host that --address names: of the topology if it is there, with its token and certificates.
remote_host addressed(const remote_arguments& arguments, const topology::topology& model) {
  bool secure = false;
  remote_host out{{}, without_scheme(arguments.address, secure), arguments.token, {}};
  for (const auto& [name, settings] : model.hosts) {
    if (!is_at(settings, out.address)) continue;
    auto known = host_of(name, settings, arguments.token);
    known.address = out.address;
    return known;
  }
  if (secure) out.tls.emplace();
  return out;
}

void say_no_host(const topology::parsed_topology& parsed, const remote_arguments& arguments) {
  for (const auto& p : parsed.problems) std::fprintf(stderr, "%s\n", topology::to_text(p).c_str());
  std::fprintf(stderr, "gantry: no host to ask in %s; name one with --address host:port\n", arguments.topology.c_str());
}

void say_unknown(const char* what, const std::string& name, const std::string& known) {
  std::fprintf(stderr, "gantry: no %s %s in the topology; it has %s\n", what, name.c_str(), known.c_str());
}

template <typename Map>
std::string names_of(const Map& map) {
  std::string out;
  for (const auto& entry : map) out += (out.empty() ? "" : ", ") + entry.first;
  return out.empty() ? "none" : out;
}

// The one host that was asked for, if one was.
std::optional<remote_hosts> chosen(const remote_arguments& arguments, const topology::topology& model) {
  if (!arguments.address.empty()) return remote_hosts{addressed(arguments, model)};
  if (arguments.host.empty()) return std::nullopt;
  const auto found = model.hosts.find(arguments.host);
  if (found != model.hosts.end()) return remote_hosts{host_of(found->first, found->second, arguments.token)};
  say_unknown("host", arguments.host, names_of(model.hosts));
  return remote_hosts{};
}

remote_hosts hosts_running(const topology::topology& model, const std::string& plugin,
                           const remote_arguments& arguments) {
  remote_hosts out;
  for (const auto& [name, settings] : model.hosts)
    if (plugin.empty() || runs(model.plugins.at(plugin), name)) out.push_back(host_of(name, settings, arguments.token));
  return out;
}

std::string url_of(const remote_host& host) { return (host.tls ? "https://" : "http://") + host.address; }

}  // namespace

remote_host host_of(const std::string& name, const topology::host_settings& settings, const std::string& token) {
  const bool apart = settings.admin.address.given;
  remote_host out;
  out.name = name;
  // On this machine where it listens: operations without a token are answered to callers of this machine alone.
  const bool here = settings.machine->empty() || *settings.machine == machine_name();
  out.address = to_connect(apart ? *settings.admin.address : here ? *settings.http : *settings.advertise);
  out.token = token.empty() ? *settings.admin.token : token;
  // As the host itself decides: operations at a loopback address of their own need no certificate.
  if (settings.tls.given && !(apart && only_this_machine(*settings.admin.address)))
    out.tls = client_tls{*settings.tls.cert, *settings.tls.key, *settings.tls.ca};
  return out;
}

remote_hosts find_hosts(const remote_arguments& arguments, const std::string& plugin) {
  const auto parsed = topology::load_topology(arguments.topology);
  const auto& model = parsed.model;
  if (auto one = chosen(arguments, model)) return *one;
  if (model.hosts.empty()) {
    say_no_host(parsed, arguments);
    return {};
  }
  if (!plugin.empty() && !model.plugins.contains(plugin)) {
    say_unknown("plugin", plugin, names_of(model.plugins));
    return {};
  }
  return hosts_running(model, plugin, arguments);
}

std::vector<hosts_of_plugin> find_hosts_of_each(const remote_arguments& arguments) {
  const auto parsed = topology::load_topology(arguments.topology);
  const auto& model = parsed.model;
  if (!arguments.address.empty() || !arguments.host.empty() || model.hosts.size() < 2) {
    auto one = find_hosts(arguments);
    if (one.empty()) return {};
    return {{{}, std::move(one)}};
  }
  std::vector<hosts_of_plugin> out;
  for (const auto& entry : model.plugins) out.push_back({entry.first, hosts_running(model, entry.first, arguments)});
  return out;
}

std::optional<std::string> fetch(remote_hosts& any_of, const std::string& method, const std::string& target) {
  for (auto host = any_of.begin(); host != any_of.end(); ++host) {
    http_question what;
    what.address = host->address;
    what.method = method;
    what.target = target;
    what.token = host->token;
    what.tls = host->tls;
    auto answer = ask(what);
    if (!answer) {
      std::fprintf(stderr, "gantry: %s\n", answer.failure().text.c_str());
      // Only when it is certain that this one has done nothing.
      if (answer.failure().code == errc::unavailable) continue;
      return std::nullopt;
    }
    if (answer->status == 200) {
      std::rotate(any_of.begin(), host, host + 1);
      return std::move(answer->body);
    }
    std::fprintf(stderr, "gantry: %s answered %d: %s\n", url_of(*host).c_str(), answer->status,
                 problem_text(answer->body).c_str());
    return std::nullopt;
  }
  return std::nullopt;
}

}  // namespace gantry::cli
