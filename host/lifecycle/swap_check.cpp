#include "lifecycle/swap_check.hpp"

#include <algorithm>
#include <charconv>

namespace gantry::lifecycle {
namespace {

using loader::manifest;

bool has(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

std::string versions(std::uint32_t from, std::uint32_t to) {
  return from == to ? std::to_string(from) : std::to_string(from) + " to " + std::to_string(to);
}

void check_routes(const manifest& now, const manifest& next, swap_verdict& out) {
  for (const auto& r : now.routes) {
    const auto same = std::find_if(next.routes.begin(), next.routes.end(),
                                   [&](const auto& n) { return n.method == r.method && n.pattern == r.pattern; });
    if (same == next.routes.end()) {
      out.careful.push_back("route " + r.method + " " + r.pattern + " of " + now.version + " is not in " +
                            next.version);
    } else if (r.idempotent && !same->idempotent) {
      out.careful.push_back("route " + r.method + " " + r.pattern + " takes no Idempotency-Key any more");
    }
  }
}

void check_emitted(const manifest& now, const manifest& next, const std::vector<const manifest*>& others,
                   swap_verdict& out) {
  for (const auto& e : now.emits) {
    const auto same = std::find_if(next.emits.begin(), next.emits.end(),
                                   [&](const auto& n) { return n.topic == e.topic && n.type == e.type; });
    if (same == next.emits.end()) {
      out.careful.push_back("event " + e.type + " on " + e.topic + " is not emitted by " + next.version);
      continue;
    }
    if (same->version == e.version && same->schema != e.schema)
      out.careful.push_back("event " + e.type + " on " + e.topic + " has another schema under the same version " +
                            std::to_string(e.version) + ": give it version " + std::to_string(e.version + 1));
  }
  for (const auto& e : next.emits)
    for (const auto* other : others)
      for (const auto& c : other->consumes)
        if (c.topic == e.topic && c.type == e.type && (e.version < c.min_version || e.version > c.max_version))
          out.careful.push_back("event " + e.type + " on " + e.topic + " has version " + std::to_string(e.version) +
                                ", " + other->id + " " + other->version + " reads " +
                                versions(c.min_version, c.max_version));
}

void check_consumed(const manifest& now, const manifest& next, const std::vector<const manifest*>& others,
                    const std::vector<std::string>& topics, swap_verdict& out) {
  for (const auto& c : next.consumes) {
    if (!has(topics, c.topic))
      out.never.push_back("it consumes topic " + c.topic + ", which the topology does not have");
    const auto before = std::find_if(now.consumes.begin(), now.consumes.end(),
                                     [&](const auto& n) { return n.topic == c.topic && n.type == c.type; });
    if (before != now.consumes.end() && (c.min_version > before->min_version || c.max_version < before->max_version))
      out.careful.push_back("it reads versions " + versions(c.min_version, c.max_version) + " of " + c.type + " on " +
                            c.topic + ", " + now.version + " read " +
                            versions(before->min_version, before->max_version) +
                            ", and such events may be on their way");
    for (const auto* other : others)
      for (const auto& e : other->emits)
        if (e.topic == c.topic && e.type == c.type && (e.version < c.min_version || e.version > c.max_version))
          out.careful.push_back("it reads versions " + versions(c.min_version, c.max_version) + " of " + c.type +
                                " on " + c.topic + ", " + other->id + " " + other->version + " emits " +
                                std::to_string(e.version));
  }
  for (const auto& c : now.consumes) {
    const bool still = std::any_of(next.consumes.begin(), next.consumes.end(),
                                   [&](const auto& n) { return n.topic == c.topic && n.type == c.type; });
    if (!still) out.careful.push_back("event " + c.type + " on " + c.topic + " is not handled by " + next.version);
  }
}

void check_stored(const manifest& now, const manifest& next, bool back, swap_verdict& out) {
  for (const auto& kind : now.jobs)
    if (!has(next.jobs, kind))
      out.never.push_back("jobs of kind " + kind + " could wait, and " + next.version + " can't run them");
  for (const auto& kind : now.timers)
    if (!has(next.timers, kind))
      out.never.push_back("timers of kind " + kind + " could run, and " + next.version + " has none");
  for (const auto& m : now.migrations) {
    const auto same = std::find_if(next.migrations.begin(), next.migrations.end(),
                                   [&](const auto& n) { return n.number == m.number && n.driver == m.driver; });
    const auto name = "migration " + std::to_string(m.number) + " (" + m.name + ")";
    if (same == next.migrations.end()) {
      if (back && !m.name.starts_with("contract")) continue;
      out.never.push_back(name + " has run, and " + next.version + " does not know it: its schema is older");
    } else if (same->sha256 != m.sha256) {
      out.never.push_back(name + " has run, and is another one in " + next.version);
    }
  }
}

}  // namespace

int compare_version_numbers(std::string_view a, std::string_view b) {
  while (!a.empty() || !b.empty()) {
    const auto part_a = a.substr(0, a.find('.'));
    const auto part_b = b.substr(0, b.find('.'));
    std::uint64_t x = 0;
    std::uint64_t y = 0;
    const auto end_a = std::from_chars(part_a.data(), part_a.data() + part_a.size(), x);
    const auto end_b = std::from_chars(part_b.data(), part_b.data() + part_b.size(), y);
    const bool numbers = (part_a.empty() || end_a.ptr == part_a.data() + part_a.size()) &&
                         (part_b.empty() || end_b.ptr == part_b.data() + part_b.size());
    if (numbers && x != y) return x < y ? -1 : 1;
    if (!numbers && part_a != part_b) return part_a < part_b ? -1 : 1;
    a.remove_prefix(std::min(a.size(), part_a.size() + 1));
    b.remove_prefix(std::min(b.size(), part_b.size() + 1));
  }
  return 0;
}

swap_verdict compare_versions(const manifest& now, const manifest& next, const std::vector<const manifest*>& others,
                              const std::vector<std::string>& topics, const std::vector<std::string>& plugins,
                              bool back) {
  swap_verdict out;
  if (next.id != now.id) {
    out.never.push_back("it is plugin " + next.id + ", expected " + now.id);
    return out;
  }
  if (compare_version_numbers(next.version, now.version) < 0)
    out.careful.push_back("it is version " + next.version + ", older than " + now.version + " which runs");
  check_routes(now, next, out);
  check_emitted(now, next, others, out);
  check_consumed(now, next, others, topics, out);
  check_stored(now, next, back, out);
  for (const auto& e : next.emits)
    if (!has(topics, e.topic))
      out.never.push_back("it emits on topic " + e.topic + ", which the topology does not have");
  for (const auto& called : next.calls)
    if (!has(plugins, called)) out.never.push_back("it calls " + called + ", which the topology does not have");
  return out;
}

}  // namespace gantry::lifecycle
