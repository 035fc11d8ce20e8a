#include <chrono>
#include <cstdio>
#include <thread>

#include "base/uri.hpp"
#include "cli/answers.hpp"
#include "cli/commands.hpp"
#include "cli/remote.hpp"
#include "cli/table.hpp"

namespace gantry::cli {
namespace {

constexpr auto pause = std::chrono::milliseconds(300);

std::string target_of(const tail_arguments& arguments, const std::string& from) {
  std::string out = "/admin/events?limit=500&from=" + percent_encode(from);
  const auto add = [&](const char* name, const std::string& text) {
    if (!text.empty()) out.append("&").append(name).append("=").append(percent_encode(text));
  };
  add("topic", arguments.topic);
  add("type", arguments.type);
  add("key", arguments.key);
  add("correlation", arguments.correlation_id);
  return out;
}

void print(const seen_event& e, bool json) {
  if (json) {
    std::printf("%s\n", e.json.c_str());
    return;
  }
  const auto place = e.topic + "/" + std::to_string(e.partition) + "@" + std::to_string(e.offset);
  std::printf("%s  %-28s  %-22s  %s  %s  %s\n", e.time.c_str(), printable(place).c_str(), printable(e.type).c_str(),
              printable(e.key).c_str(), printable(e.correlation_id).c_str(), printable(e.plugin).c_str());
}

}  // namespace

int tail(const remote_arguments& remote, const tail_arguments& arguments) {
  auto hosts = find_hosts(remote);
  if (hosts.empty()) return 1;
  std::string from = arguments.from;
  for (;;) {
    const auto body = fetch(hosts, "GET", target_of(arguments, from));
    if (!body) return 1;
    auto page = read_events(*body);
    if (!page) {
      std::fprintf(stderr, "gantry: %s\n", page.failure().text.c_str());
      return 1;
    }
    for (const auto& e : page->events) print(e, remote.json);
    // Whoever reads the pipe has gone.
    if (std::fflush(stdout) != 0) return 1;
    from = std::move(page->cursor);
    if (page->more) continue;
    if (!arguments.follow) return 0;
    std::this_thread::sleep_for(pause);
  }
}

}  // namespace gantry::cli
