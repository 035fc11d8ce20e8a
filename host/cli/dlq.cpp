#include <cstdio>
#include <vector>

#include "base/uri.hpp"
#include "cli/answers.hpp"
#include "cli/commands.hpp"
#include "cli/remote.hpp"
#include "cli/table.hpp"

namespace gantry::cli {
namespace {

std::string path_of(const std::string& plugin, const std::string& id) {
  return "/admin/dlq/" + percent_encode(plugin) + "/" + percent_encode(id);
}

// Whose list is missing is said, whatever is shown of the others.
int show_parked(const std::string& body, bool json) {
  if (json) std::printf("%s\n", body.c_str());
  const auto page = read_parked(body);
  if (!page) {
    if (!json) std::fprintf(stderr, "gantry: %s\n", page.failure().text.c_str());
    return json ? 0 : 1;
  }
  for (const auto& [plugin, why] : page->unanswered)
    std::fprintf(stderr, "gantry: %s is missing: %s\n", plugin.c_str(), why.c_str());
  const int end = page->unanswered.empty() ? 0 : 1;
  if (json) return end;
  if (page->items.empty()) {
    std::printf(end == 0 ? "nothing is parked\n" : "nothing else is parked\n");
    return end;
  }
  table out({"plugin", "id", "what", "subject", "key", "tries", "since", "error"});
  for (const auto& i : page->items)
    out.add({i.plugin, i.id, i.what, i.subject, i.key, std::to_string(i.attempts), i.since, i.error});
  std::fputs(out.text().c_str(), stdout);
  if (page->truncated) std::printf("there are more; this is the beginning of each plugin's\n");
  return end;
}

}  // namespace

int dlq_list(const remote_arguments& remote, const std::string& plugin) {
  auto asked =
      plugin.empty() ? find_hosts_of_each(remote) : std::vector<hosts_of_plugin>{{plugin, find_hosts(remote, plugin)}};
  std::vector<std::string> bodies;
  bool all = !asked.empty();
  for (auto& [whose, hosts] : asked) {
    auto body = fetch(hosts, "GET", "/admin/dlq" + (whose.empty() ? "" : "?plugin=" + percent_encode(whose)));
    all = all && body;
    if (body) bodies.push_back(std::move(*body));
  }
  if (bodies.empty()) return 1;
  const auto shown = show_parked(bodies.size() == 1 ? bodies.front() : merged_parked(bodies), remote.json);
  return all ? shown : 1;
}

int dlq_show(const remote_arguments& remote, const std::string& plugin, const std::string& id) {
  auto hosts = find_hosts(remote, plugin);
  if (hosts.empty()) return 1;
  const auto body = fetch(hosts, "GET", path_of(plugin, id));
  if (!body) return 1;
  std::printf("%s\n", remote.json ? body->c_str() : indented(*body).c_str());
  return 0;
}

int dlq_act(const remote_arguments& remote, const std::string& plugin, const std::string& id,
            const std::string& action) {
  auto hosts = find_hosts(remote, plugin);
  if (hosts.empty()) return 1;
  const auto body = fetch(hosts, "POST", path_of(plugin, id) + "/" + action);
  if (!body) return 1;
  if (remote.json) {
    std::printf("%s\n", body->c_str());
  } else {
    const auto done = read_count(*body, action == "replay" ? "replayed" : "discarded");
    std::printf("%s %s: %s %llu\n", plugin.c_str(), id.c_str(), action == "replay" ? "replayed" : "discarded",
                static_cast<unsigned long long>(done));
  }
  return 0;
}

}  // namespace gantry::cli
