#include <cstdio>

#include "base/uri.hpp"
#include "cli/answers.hpp"
#include "cli/commands.hpp"
#include "cli/remote.hpp"
#include "cli/table.hpp"

namespace gantry::cli {

int replay(const remote_arguments& remote, const std::string& plugin, const std::string& topic, const std::string& from,
           bool accept_gap) {
  auto hosts = find_hosts(remote, plugin);
  if (hosts.empty()) return 1;
  const auto body = fetch(hosts, "POST",
                          "/admin/replay/" + percent_encode(plugin) + "/" + percent_encode(topic) +
                              "?from=" + percent_encode(from) + (accept_gap ? "&accept_gap=1" : ""));
  if (!body) return 1;
  if (remote.json) {
    std::printf("%s\n", body->c_str());
    return 0;
  }
  const auto partitions = read_replay(*body);
  if (!partitions) {
    std::fprintf(stderr, "gantry: %s\n", partitions.failure().text.c_str());
    return 1;
  }
  std::printf("%s reads %s again from %s\n\n", plugin.c_str(), topic.c_str(), from.c_str());
  table out({"partition", "from offset", "replay ends at"});
  for (const auto& p : *partitions)
    out.add({std::to_string(p.partition), std::to_string(p.next), std::to_string(p.end)});
  std::fputs(out.text().c_str(), stdout);
  return 0;
}

}  // namespace gantry::cli
