#include <cstdio>
#include <vector>

#include "base/uri.hpp"
#include "cli/answers.hpp"
#include "cli/commands.hpp"
#include "cli/remote.hpp"
#include "cli/table.hpp"

namespace gantry::cli {

int quarantine_list(const remote_arguments& remote) {
  bool good = true;
  table out({"host", "plugin", "generation", "since", "why"});
  bool any = false;
  auto hosts = find_hosts(remote);
  if (hosts.empty()) return 1;
  for (auto& host : hosts) {
    remote_hosts one = {host};
    const auto body = fetch(one, "GET", "/admin/quarantine");
    good = good && body;
    if (!body) continue;
    if (remote.json) {
      std::printf("%s\n", body->c_str());
      continue;
    }
    const auto read = read_quarantined(*body);
    if (!read) {
      std::fprintf(stderr, "gantry: %s\n", read.failure().text.c_str());
      good = false;
      continue;
    }
    for (const auto& p : *read) {
      any = true;
      out.add({host.name.empty() ? host.address : host.name, p.plugin, std::to_string(p.generation), p.since, p.why});
    }
  }
  // Of a host that does not answer nobody knows.
  if (!remote.json && (any || good)) std::fputs(any ? out.text().c_str() : "no plugin is in quarantine\n", stdout);
  return good ? 0 : 1;
}

int quarantine_release(const remote_arguments& remote, const std::string& plugin, bool now) {
  bool good = true;
  auto hosts = find_hosts(remote, plugin);
  if (hosts.empty()) return 1;
  // Each host has a quarantine of its own.
  for (auto& host : hosts) {
    remote_hosts one = {host};
    const auto body =
        fetch(one, "POST", "/admin/quarantine/" + percent_encode(plugin) + "/release" + (now ? "?now=true" : ""));
    good = good && body;
    if (!body) continue;
    if (remote.json)
      std::printf("%s\n", body->c_str());
    else
      std::printf("%s: released; it runs in its host's own process again %s\n", plugin.c_str(),
                  now ? "now, as the host starts anew" : "from the host's next start on (--now starts it anew)");
  }
  return good ? 0 : 1;
}

}  // namespace gantry::cli
