#include "admin/apart.hpp"

#include <algorithm>

namespace gantry::admin {
namespace {

constexpr auto patience = std::chrono::milliseconds(5000);

struct family {
  std::string_view name;
  std::string_view head;     // HELP and TYPE
  std::string_view samples;  // lines
};

// With its end of line, if it has one.
std::string_view first_line(std::string_view text) {
  const auto end = text.find('\n');
  return end == std::string_view::npos ? text : text.substr(0, end + 1);
}

// Each begins with its line of HELP, as the registry writes it.
std::vector<family> families_of(std::string_view text) {
  constexpr std::string_view help = "# HELP ";
  std::vector<family> out;
  while (text.starts_with(help)) {
    family one;
    one.name = text.substr(help.size());
    one.name = one.name.substr(0, one.name.find_first_of(" \n"));
    const auto head = first_line(text).size() + first_line(text.substr(first_line(text).size())).size();
    const auto next = text.find("\n# HELP ");
    const auto end = next == std::string_view::npos ? text.size() : next + 1;
    one.head = text.substr(0, std::min(head, end));
    one.samples = text.substr(one.head.size(), end - one.head.size());
    out.push_back(one);
    text.remove_prefix(end);
  }
  return out;
}

std::string lines_with(std::string_view samples, const std::string& label) {
  std::string out;
  while (!samples.empty()) {
    const auto line = first_line(samples);
    const auto at = line.find(label);
    if (at != std::string_view::npos && at != 0 && (line[at - 1] == '{' || line[at - 1] == ',')) out += line;
    samples.remove_prefix(line.size());
  }
  return out;
}

}  // namespace

result<std::vector<std::string>> replies_of(apart& all, std::string_view target) {
  std::vector<std::string> out;
  for (const auto& plugin : all.plugins()) {
    auto reply = all.ask(plugin, "GET", target, patience);
    if (!reply) return error{errc::unavailable, plugin + ": " + reply.failure().text};
    if (reply->status != 200)
      return error{errc::unavailable, plugin + ": its process answered " + std::to_string(reply->status)};
    out.push_back(std::move(reply->body));
  }
  return out;
}

std::string merged_exposition(std::string_view own, std::string_view plugin, std::string_view other) {
  const auto label = "plugin=\"" + std::string(plugin) + "\"";
  auto theirs = families_of(other);
  std::string out;
  out.reserve(own.size() + other.size());
  for (const auto& one : families_of(own)) {
    out.append(one.head).append(one.samples);
    const auto same = std::ranges::find(theirs, one.name, &family::name);
    if (same == theirs.end()) continue;
    out += lines_with(same->samples, label);
    theirs.erase(same);
  }
  for (const auto& one : theirs)
    if (const auto lines = lines_with(one.samples, label); !lines.empty()) out.append(one.head).append(lines);
  return out;
}

}  // namespace gantry::admin
