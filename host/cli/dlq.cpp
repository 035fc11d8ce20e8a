#include <cstdio>

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

}  // namespace

int dlq_list(const remote_arguments& remote, const std::string& plugin) {
  const auto host = find_host(remote);
  if (!host) return 1;
  const auto body =
      fetch(*host, "GET", "/admin/dlq" + (plugin.empty() ? "" : "?plugin=" + percent_encode(plugin)));
  if (!body) return 1;
  if (remote.json) {
    std::printf("%s\n", body->c_str());
    return 0;
  }
  const auto page = read_parked(*body);
  if (!page) {
    std::fprintf(stderr, "gantry: %s\n", page.failure().text.c_str());
    return 1;
  }
  if (page->items.empty()) {
    std::printf("nothing is parked\n");
    return 0;
  }
  table out({"plugin", "id", "what", "subject", "key", "tries", "since", "error"});
  for (const auto& i : page->items)
    out.add({i.plugin, i.id, i.what, i.subject, i.key, std::to_string(i.attempts), i.since, i.error});
  std::fputs(out.text().c_str(), stdout);
  if (page->truncated) std::printf("there are more; this is the beginning of each plugin's\n");
  return 0;
}

int dlq_show(const remote_arguments& remote, const std::string& plugin, const std::string& id) {
  const auto host = find_host(remote);
  if (!host) return 1;
  const auto body = fetch(*host, "GET", path_of(plugin, id));
  if (!body) return 1;
  std::printf("%s\n", remote.json ? body->c_str() : indented(*body).c_str());
  return 0;
}

int dlq_act(const remote_arguments& remote, const std::string& plugin, const std::string& id,
            const std::string& action) {
  const auto host = find_host(remote);
  if (!host) return 1;
  const auto body = fetch(*host, "POST", path_of(plugin, id) + "/" + action);
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
