#include <cstdio>
#include <map>

#include "base/uri.hpp"
#include "cli/answers.hpp"
#include "cli/commands.hpp"
#include "cli/remote.hpp"
#include "cli/table.hpp"

namespace gantry::cli {
namespace {

std::string milliseconds(double ms) {
  char text[32];
  std::snprintf(text, sizeof text, "%10.3f", ms);
  return text;
}

}  // namespace

int trace(const remote_arguments& remote, const std::string& correlation_id) {
  // Every host reads the whole bus.
  auto hosts = find_hosts(remote);
  if (hosts.empty()) return 1;
  const auto body = fetch(hosts, "GET", "/admin/trace/" + percent_encode(correlation_id));
  if (!body) return 1;
  if (remote.json) {
    std::printf("%s\n", body->c_str());
    return 0;
  }
  const auto events = read_trace(*body);
  if (!events) {
    std::fprintf(stderr, "gantry: %s\n", events.failure().text.c_str());
    return 1;
  }
  // Each event has a number, and points at the one that it follows from.
  std::map<std::string, std::size_t> numbers;
  for (std::size_t i = 0; i < events->size(); ++i) numbers.emplace((*events)[i].id, i + 1);
  table out({"        ms", "#", "plugin", "type", "topic", "key", "caused by"});
  for (std::size_t i = 0; i < events->size(); ++i) {
    const auto& e = (*events)[i];
    const auto cause = numbers.find(e.causation_id);
    // What began the whole, a request or a timer, is no event.
    const std::string arrow = cause == numbers.end()
                                  ? (e.causation_id.empty() ? "" : "<- " + e.causation_id)
                                  : "<- " + std::to_string(cause->second) + " " + (*events)[cause->second - 1].type;
    out.add({milliseconds(e.since_ms), std::to_string(i + 1), e.plugin, e.type, e.topic, e.key, arrow});
  }
  std::printf("%s  %zu events, began %s\n\n%s", printable(correlation_id).c_str(), events->size(),
              events->empty() ? "-" : events->front().at.c_str(), out.text().c_str());
  return 0;
}

}  // namespace gantry::cli
