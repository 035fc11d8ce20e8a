#include "app/process_state.hpp"

#include <unistd.h>

#include <algorithm>
#include <charconv>

namespace gantry::app {
namespace {

template <typename T>
bool read_number(std::string_view text, T& out) {
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), out);
  return code == std::errc{} && end == text.data() + text.size();
}

// Up to the sign, which goes too.
std::string_view cut(std::string_view& from, char at) {
  const auto end = std::min(from.find(at), from.size());
  const auto out = from.substr(0, end);
  from.remove_prefix(std::min(end + 1, from.size()));
  return out;
}

bool take(std::string_view word, std::string_view content, process_state& into) {
  if (word == "pid") return read_number(content, into.pid);
  if (word == "generation") return read_number(content, into.generation);
  if (word == "ailing") {
    into.ailing = content;
    return true;
  }
  if (word != "route") return false;
  const auto method = cut(content, ' ');
  into.routes.push_back({std::string(method), std::string(content)});
  return !method.empty() && content.starts_with('/');
}

}  // namespace

process_state state_of_process(const lifecycle::plugin_set& plugins, const bus::bus& events) {
  process_state out;
  out.pid = getpid();
  for (const auto& row : plugins.rows()) {
    out.ailing = row.error;
    const auto running = plugins.find(row.id);
    if (!running) continue;
    out.generation = row.generation;
    for (const auto& r : running->declared.routes) out.routes.push_back({r.method, r.pattern});
    if (out.ailing.empty())
      if (auto well = running->health(); !well) out.ailing = well.failure().text;
  }
  if (auto there = events.health(); out.ailing.empty() && !there) out.ailing = "bus: " + there.failure().text;
  return out;
}

std::string to_text(const process_state& of) {
  std::string out = "pid " + std::to_string(of.pid) + "\ngeneration " + std::to_string(of.generation) + "\n";
  if (!of.ailing.empty()) {
    auto line = of.ailing;
    std::ranges::replace(line, '\n', ' ');
    out.append("ailing ").append(line).append("\n");
  }
  for (const auto& r : of.routes) out.append("route ").append(r.method).append(" ").append(r.pattern).append("\n");
  return out + "end\n";
}

result<process_state> read_process_state(std::string_view text) {
  process_state out;
  while (!text.empty()) {
    auto line = cut(text, '\n');
    if (line == "end") return out;
    const auto found = std::string(line);
    const auto word = cut(line, ' ');
    if (!take(word, line, out))
      return error{errc::invalid, "found \"" + found + "\", expected pid, generation, ailing, route or end"};
  }
  return error{errc::invalid, "found no end of what a process says of itself"};
}

}  // namespace gantry::app
