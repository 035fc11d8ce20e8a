#include "admin/apart.hpp"

#include <algorithm>
#include <thread>
#include <utility>

#include "base/json_members.hpp"
#include "base/new_thread.hpp"
#include "observability/log.hpp"

namespace gantry::admin {
namespace {

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

std::string apart_answer::why() const {
  if (!reply) return "its process does not answer: " + reply.failure().text;
  return "its process answers " + std::to_string(reply->status);
}

std::vector<apart_answer> ask_all(apart& all, std::string_view target, std::chrono::milliseconds at_most) {
  std::vector<apart_answer> out;
  for (auto& plugin : all.plugins()) out.push_back({std::move(plugin), error{errc::unavailable, "it was not asked"}});
  std::vector<std::thread> asking;
  for (auto& one : out) {
    const auto ask = [&all, &one, target, at_most] { one.reply = all.ask(one.plugin, "GET", target, at_most, {}); };
    if (auto begun = new_thread(ask))
      asking.push_back(std::move(*begun));
    else
      ask();
  }
  for (auto& thread : asking) thread.join();
  return out;
}

void append_unanswered(std::string& out, const std::vector<unanswered_plugin>& all) {
  append_member_name(out, "unanswered");
  out += '[';
  for (const auto& one : all) {
    out += out.ends_with('[') ? "{" : ",{";
    append_member(out, "plugin", one.plugin);
    append_member(out, "why", one.why);
    out += '}';
  }
  out += ']';
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

void apart_series::complete(std::string& text, std::chrono::milliseconds at_most) {
  std::string own =
      "# HELP gantry_scrape_incomplete 1: the plugin's process did not answer, and its series are missing here.\n"
      "# TYPE gantry_scrape_incomplete gauge\n";
  for (const auto& one : ask_all(all_, "/metrics", at_most)) {
    const auto& plugin = one.plugin;
    const bool told = one.good();
    own.append("gantry_scrape_incomplete{plugin=\"").append(plugin).append(told ? "\"} 0\n" : "\"} 1\n");
    if (told) {
      text = merged_exposition(text, plugin, one.reply->body);
      silent_.erase(plugin);
    } else if (silent_.insert(plugin).second) {
      observability::log_warn("The series of a plugin are missing in /metrics.",
                              {{"plugin", plugin}, {"reason", one.why()}});
    }
  }
  text += own;
}

}  // namespace gantry::admin
