// Swaps of plugins whose library has become another file.
#include <algorithm>
#include <map>

#include "gantry/abi/handover.h"
#include "lifecycle/swap_check.hpp"
#include "plan/diff.hpp"

namespace gantry::plan {
namespace {

constexpr std::size_t digest_shown = 12;

bool has(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

bool offers_handover(const loader::manifest& m) { return has(m.offers, GANTRY_HANDOVER_1); }

std::string short_digest(const std::string& digest) { return digest.substr(0, digest_shown); }

class swap_steps : diff {
 public:
  swap_steps(const host_view& view, findings& out) : diff(view, out) {}

  // Swaps of one host see each other: one that breaks nothing for those that run by then goes first.
  void find(std::vector<planned_swap> all) {
    std::map<std::string, const loader::manifest*> present;
    for (const auto& [id, found] : view_.libraries) present[id] = &found.promised;
    for (const auto& [id, running] : view_.running)
      if (running.error.empty()) present[id] = &running.promised;
    std::vector<std::string> topics;
    std::vector<std::string> plugins;
    for (const auto& entry : next_.topics) topics.push_back(entry.first);
    for (const auto& entry : next_.plugins) plugins.push_back(entry.first);
    const auto judge = [&](const planned_swap& c) {
      std::vector<const loader::manifest*> others;
      for (const auto& [id, promised] : present)
        if (id != c.id && next_.plugins.contains(id)) others.push_back(promised);
      return lifecycle::compare_versions(c.from->promised, c.to->promised, others, topics, plugins);
    };
    while (!all.empty()) {
      auto best = std::find_if(all.begin(), all.end(), [&](const planned_swap& c) { return judge(c).fits(false); });
      if (best == all.end()) best = all.begin();
      swap(*best, judge(*best));
      present[best->id] = &best->to->promised;
      all.erase(best);
    }
  }

 private:
  void swap(const planned_swap& c, const lifecycle::swap_verdict& verdict) {
    const auto& from = c.from->promised;
    const auto& to = c.to->promised;
    if (!verdict.never.empty()) {
      for (const auto& why : verdict.never)
        impossible("swap " + c.id + " " + c.from->version + " -> " + to.version, why, "put another file in its place");
      return;
    }
    auto& one = add(step_kind::swap, c.id, "swap " + c.id + " " + c.from->version + " -> " + to.version);
    one.digest = c.to->digest;
    one.why.push_back("library: SHA-256 " + short_digest(c.from->digest) + " -> " + short_digest(c.to->digest));
    one.why.insert(one.why.end(), c.config.begin(), c.config.end());
    one.effects.push_back(effect_of_swap(from, to));
    new_migrations(from, to, one);
    new_events(c.id, from, to, one);
    one.breaks = verdict.careful;
  }

  static void new_migrations(const loader::manifest& from, const loader::manifest& to, step& one) {
    for (const auto& m : to.migrations) {
      const bool known = std::ranges::any_of(from.migrations, [&](const auto& o) { return o.number == m.number; });
      if (known) continue;
      one.effects.push_back("migration " + std::to_string(m.number) + " (" + m.name + ") runs " +
                            (m.name.starts_with("contract") ? "once the former version has gone" : "before"));
    }
  }

  // What it handles that it did not: events of before may have to be replayed.
  static void new_events(const std::string& id, const loader::manifest& from, const loader::manifest& to, step& one) {
    for (const auto& c : to.consumes) {
      if (c.mode == "observe") continue;
      const auto same_topic = [&](const auto& o) { return o.topic == c.topic && o.mode != "observe"; };
      const bool known =
          std::ranges::any_of(from.consumes, [&](const auto& o) { return same_topic(o) && o.type == c.type; });
      if (known) continue;
      if (!std::ranges::any_of(from.consumes, same_topic)) {
        one.effects.push_back("it begins to read topic " + c.topic + ", from its " +
                              (c.start == "latest" ? "end" : "start"));
      } else {
        const bool replays = has(to.replays, c.topic);
        one.effects.push_back("it handles " + c.type + " on " + c.topic + " from then on; for earlier ones " +
                              (replays ? "run `gantry replay " + id + " " + c.topic + "`" : "there is no way"));
      }
    }
  }
};

}  // namespace

std::string effect_of_swap(const loader::manifest& from, const loader::manifest& to) {
  return offers_handover(from) && offers_handover(to)
             ? "its requests wait while what it has in memory is handed over; none fails"
             : "none: requests and events go on";
}

void find_steps_of_swaps(const host_view& view, std::vector<planned_swap> swaps, findings& out) {
  swap_steps(view, out).find(std::move(swaps));
}

}  // namespace gantry::plan
