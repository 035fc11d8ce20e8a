#include "plan/steps.hpp"

#include <algorithm>
#include <utility>

#include "gantry/abi/handover.h"
#include "lifecycle/swap_check.hpp"
#include "plan/diff.hpp"
#include "store/store.hpp"

namespace gantry::plan {
namespace {

using topology::bus_driver;
using topology::isolation_mode;
using topology::plugin_settings;
using topology::store_driver;
using topology::store_settings;

constexpr std::size_t digest_shown = 12;

std::vector<std::string> hosts_of(const plugin_settings& plugin) {
  std::vector<std::string> out;
  for (const auto& host : plugin.hosts) out.push_back(*host);
  return out;
}

bool has(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

bool offers_handover(const loader::manifest& m) { return has(m.offers, GANTRY_HANDOVER_1); }

std::string short_digest(const std::string& digest) { return digest.substr(0, digest_shown); }

// Where a plugin keeps its rows, for a person.
std::string place_of(const store_settings& store, const std::string& plugin) {
  if (*store.driver == store_driver::sqlite) return "SQLite file " + topology::for_plugin(shown(store.path), plugin);
  return "PostgreSQL schema " + topology::for_plugin(shown(store.schema), plugin);
}

// What may be done while the others work comes first; what leaves for another host's sake before what comes.
int rank(const step& s) {
  switch (s.kind) {
    case step_kind::impossible:
      return 0;
    case step_kind::open_topic:
      return 1;
    case step_kind::swap:
    case step_kind::configure:
      return 2;
    case step_kind::adjust:
      return 3;
    case step_kind::remove:
      return s.first ? 4 : 6;
    case step_kind::add:
      return 5;
    case step_kind::note:
      return 7;
    case step_kind::restart:
      return 8;
  }
  return 9;
}

class plugin_steps : diff {
 public:
  plugin_steps(const host_view& view, findings& out) : diff(view, out) {}

  void find() {
    for (const auto& [id, settings] : next_.plugins) placed(id, settings);
    for (const auto& [id, plugin] : view_.running)
      if (!runs_on(next_, id, view_.host)) leaves(id);
    for (const auto& id : view_.apart)
      if (!runs_on(next_, id, view_.host)) other_processes(id, "it runs apart here, and no longer is to run here");
    order_swaps();
    if (!restart_.empty()) restarts();
  }

 private:
  static bool runs_on(const topology::topology& model, const std::string& plugin, const std::string& host) {
    const auto found = model.plugins.find(plugin);
    return found != model.plugins.end() && has(hosts_of(found->second), host);
  }

  void placed(const std::string& id, const plugin_settings& next) {
    const bool here = has(hosts_of(next), view_.host);
    const auto now = now_.plugins.find(id);
    if (now != now_.plugins.end() && !same_store(id, now->second, next)) return;
    if (!here) return;
    const bool before = now != now_.plugins.end() && has(hosts_of(now->second), view_.host);
    const bool process = *next.isolation == isolation_mode::process;
    if (!before ? process : *now->second.isolation != *next.isolation) {
      other_processes(id, std::string("isolation: ") +
                              (before ? std::string(name_of(*now->second.isolation)) : "none") + " -> " +
                              std::string(name_of(*next.isolation)));
      return;
    }
    if (process || view_.apart.contains(id)) {
      isolated(id, now->second, next);
      return;
    }
    const auto running = view_.running.find(id);
    if (running == view_.running.end()) {
      comes(id, next, {});
    } else if (!running->second.error.empty()) {
      comes(id, next, running->second.error);
    } else {
      // What an apply that broke off has brought is there, and by the settings that it brought.
      stays(id, running->second, before ? now->second : next, next);
    }
  }

  // False: its data would be somewhere else, which is said.
  bool same_store(const std::string& id, const plugin_settings& now, const plugin_settings& next) {
    const auto& a = now_.stores.at(*now.store);
    const auto& b = next_.stores.at(*next.store);
    const auto where = place_of(a, id) + " -> " + place_of(b, id);
    if (*a.driver != *b.driver) {
      impossible("the store of " + id, where,
                 *b.driver == store_driver::postgres
                     ? "its data must be copied: stop the hosts, run `gantry store copy " + id +
                           " --to NEW_TOPOLOGY`, and start them with the new topology"
                     : "no command copies data that way");
      return false;
    }
    const bool sqlite = *a.driver == store_driver::sqlite;
    const auto& place_a = sqlite ? a.path : a.schema;
    const auto& place_b = sqlite ? b.path : b.schema;
    if (topology::for_plugin(*place_a, id) != topology::for_plugin(*place_b, id) || (!sqlite && *a.url != *b.url)) {
      impossible(
          "the store of " + id, *a.url != *b.url && !sqlite ? place_of(a, id) + " on another server" : where,
          "its data must be moved: stop the hosts, move it with the database's own tools, and start them with the "
          "new topology");
      return false;
    }
    if (sqlite && moves(now, next) && machine_of(now_, now) != machine_of(next_, next)) {
      impossible("the store of " + id, place_of(a, id) + " is on another machine",
                 "its data must be copied: stop the hosts, copy the file, and start them with the new topology");
      return false;
    }
    if (!has(hosts_of(now), view_.host) || !has(hosts_of(next), view_.host)) return true;
    differences tuned;
    compare(tuned, "stores." + *next.store + ".pool", a.pool, b.pool);
    compare(tuned, "stores." + *next.store + ".durability", a.durability, b.durability);
    // Its value may hold a password.
    if (*a.read_url != *b.read_url) tuned.push_back("stores." + *next.store + ".read_url: another one");
    compare(tuned, "stores." + *next.store + ".read_max_lag", a.read_max_lag, b.read_max_lag);
    for (const auto& one : tuned)
      if (!has(restart_, one)) restart_.push_back(one);
    return true;
  }

  static std::string machine_of(const topology::topology& model, const plugin_settings& plugin) {
    const auto host = plugin.hosts.empty() ? model.hosts.end() : model.hosts.find(*plugin.hosts.front());
    return host == model.hosts.end() ? std::string() : *host->second.machine;
  }

  static bool moves(const plugin_settings& now, const plugin_settings& next) { return hosts_of(now) != hosts_of(next); }

  bool shares_store(const std::string& id) const {
    return *next_.stores.at(*next_.plugins.at(id).store).driver == store_driver::postgres;
  }

  void other_processes(const std::string& id, std::string why) {
    impossible("the processes of " + id, std::move(why),
               "`gantry run` makes the processes of a host: start it anew with the new topology");
  }

  // In a process of its own, now and then. Its file is looked at by that process alone.
  void isolated(const std::string& id, const plugin_settings& now, const plugin_settings& next) {
    differences limits;
    compare(limits, "limits.memory", now.limits.memory, next.limits.memory);
    compare(limits, "limits.cpu", now.limits.cpu, next.limits.cpu);
    if (!limits.empty()) other_processes(id, listed(limits));
    differences reasons;
    const auto at = "plugins." + id;
    compare(reasons, at + ".poison", now.poison, next.poison);
    compare(reasons, at + ".batch.max", now.batch_max, next.batch_max);
    compare(reasons, at + ".stall_after", now.stall_after, next.stall_after);
    compare(reasons, at + ".stall_kill_after", now.stall_kill_after, next.stall_kill_after);
    compare(reasons, at + ".group", now.group, next.group);
    differences config;
    compare(config, now.config, next.config);
    for (const auto& one : config) reasons.push_back(at + "." + one);
    restart_for(reasons);
  }

  void stays(const std::string& id, const running_plugin& running, const plugin_settings& now,
             const plugin_settings& next) {
    differences group;
    compare(group, "plugins." + id + ".group", now.group, next.group);
    restart_for(group);
    differences config;
    compare(config, now.config, next.config);
    compare(config, "stall_after", now.stall_after, next.stall_after);
    compare(config, "stall_kill_after", now.stall_kill_after, next.stall_kill_after);
    const auto library = view_.libraries.find(id);
    const bool other_file = library != view_.libraries.end() && library->second.digest != running.library_digest &&
                            library->second.digest != running.digest;
    if (other_file) {
      changes_.push_back({id, &running, &library->second, config});
    } else if (!config.empty()) {
      auto& one = add(step_kind::configure, id, "configure " + id + " " + running.version + " anew");
      one.why = config;
      one.effects.push_back(effect_of_swap(running.promised, running.promised));
    }
    differences settings;
    compare(settings, "poison", now.poison, next.poison);
    compare(settings, "batch.max", now.batch_max, next.batch_max);
    compare(settings, "swap.drain", now.swap.drain, next.swap.drain);
    compare(settings, "swap.probation", now.swap.probation, next.swap.probation);
    if (!settings.empty()) {
      auto& one = add(step_kind::adjust, id, "adjust " + id);
      one.why = settings;
      one.effects.emplace_back("none: it counts from the next batch on");
    }
    differences supervised;
    compare(supervised, "poison_after", now.poison_after, next.poison_after);
    if (supervised.empty()) return;
    auto& one = add(step_kind::note, id, "`gantry run` treats " + id + " otherwise");
    one.why = supervised;
    one.effects.emplace_back("none: it counts once `gantry run` itself is started anew");
  }

  static std::string effect_of_swap(const loader::manifest& from, const loader::manifest& to) {
    return offers_handover(from) && offers_handover(to)
               ? "its requests wait while what it has in memory is handed over; none fails"
               : "none: requests and events go on";
  }

  struct change {
    std::string id;
    const running_plugin* from;
    const found_library* to;
    differences config;
  };

  // Swaps of one host see each other: one that breaks nothing for those that run by then goes first.
  void order_swaps() {
    std::map<std::string, const loader::manifest*> present;
    for (const auto& [id, found] : view_.libraries) present[id] = &found.promised;
    for (const auto& [id, running] : view_.running)
      if (running.error.empty()) present[id] = &running.promised;
    std::vector<std::string> topics;
    std::vector<std::string> plugins;
    for (const auto& entry : next_.topics) topics.push_back(entry.first);
    for (const auto& entry : next_.plugins) plugins.push_back(entry.first);
    const auto judge = [&](const change& c) {
      std::vector<const loader::manifest*> others;
      for (const auto& [id, promised] : present)
        if (id != c.id && next_.plugins.contains(id)) others.push_back(promised);
      return lifecycle::compare_versions(c.from->promised, c.to->promised, others, topics, plugins);
    };
    while (!changes_.empty()) {
      auto best = std::find_if(changes_.begin(), changes_.end(), [&](const change& c) { return judge(c).fits(false); });
      if (best == changes_.end()) best = changes_.begin();
      swaps(*best, judge(*best));
      present[best->id] = &best->to->promised;
      changes_.erase(best);
    }
  }

  void swaps(const change& c, const lifecycle::swap_verdict& verdict) {
    const auto& from = c.from->promised;
    const auto& to = c.to->promised;
    if (!verdict.never.empty()) {
      for (const auto& why : verdict.never)
        impossible("swap " + c.id + " " + c.from->version + " -> " + to.version, why, "put another file in its place");
      return;
    }
    auto& one = add(step_kind::swap, c.id, "swap " + c.id + " " + c.from->version + " -> " + to.version);
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

  void comes(const std::string& id, const plugin_settings& next, const std::string& failed) {
    const auto library = view_.libraries.find(id);
    const auto version = library == view_.libraries.end() ? std::string() : " " + library->second.promised.version;
    auto& one =
        add(step_kind::add, id, (failed.empty() ? "add " : "start ") + id + version + (failed.empty() ? "" : " again"));
    if (!failed.empty()) one.why.push_back("it has failed: " + failed);
    const auto now = now_.plugins.find(id);
    const auto before = now == now_.plugins.end() ? std::vector<std::string>() : hosts_of(now->second);
    std::vector<std::string> leaving;
    std::vector<std::string> staying;
    for (const auto& host : before) {
      if (host == view_.host) continue;
      (has(hosts_of(next), host) ? staying : leaving).push_back(host);
    }
    if (!leaving.empty()) one.why.push_back("it leaves " + listed(leaving));
    if (!staying.empty()) one.why.push_back("it stays on " + listed(staying));
    if (!failed.empty()) {
      one.effects.emplace_back("its requests are answered again once it has started");
    } else if (!before.empty() && shares_store(id)) {
      one.effects.emplace_back("none: the partitions are shared out anew, and events wait for that");
    } else if (!before.empty()) {
      one.effects.emplace_back("its requests are answered again once it has started, its events handled");
    } else {
      one.effects.emplace_back("its routes answer once it has started");
      if (library != view_.libraries.end()) reads_from(library->second.promised, one);
    }
  }

  static void reads_from(const loader::manifest& m, step& one) {
    std::vector<std::string> topics;
    for (const auto& c : m.consumes)
      if (c.mode != "observe" && c.start != "latest" && !has(topics, c.topic)) topics.push_back(c.topic);
    if (!topics.empty()) one.effects.push_back("it reads " + listed(topics) + " from the start, unless it has before");
  }

  void leaves(const std::string& id) {
    const auto next = next_.plugins.find(id);
    const auto goes_to = next == next_.plugins.end() ? std::vector<std::string>() : hosts_of(next->second);
    auto& one = add(step_kind::remove, id, "remove " + id + " " + view_.running.at(id).version);
    if (goes_to.empty()) {
      one.effects.emplace_back("its routes answer 404; events on its topics wait for it");
      const auto now = now_.plugins.find(id);
      if (now != now_.plugins.end())
        one.effects.push_back("what it has stored stays in " + place_of(now_.stores.at(*now->second.store), id));
      return;
    }
    one.why.push_back("it runs on " + listed(goes_to));
    one.hosts = goes_to;
    if (shares_store(id)) {
      one.effects.emplace_back("none: others have its requests and partitions by then");
    } else {
      one.first = true;
      one.effects.push_back("its requests fail and its events wait until " + listed(goes_to) + " has it");
    }
  }

  void restarts() {
    auto& one = add(step_kind::restart, {}, "restart host " + view_.host);
    one.why = restart_;
    std::vector<std::string> alone;
    for (const auto& [id, settings] : next_.plugins)
      if (const auto hosts = hosts_of(settings); has(hosts, view_.host) && hosts.size() == 1) alone.push_back(id);
    one.effects.push_back("it drains, ends and starts anew: " +
                          (alone.empty()
                               ? "other hosts answer meanwhile"
                               : "requests to " + listed(alone) + " fail until it is back, their events wait"));
    if (*next_.bus.owner == view_.host && next_.hosts.size() > 1)
      one.effects.emplace_back("it owns the bus: events of the other hosts wait in their outboxes");
  }

  std::vector<change> changes_;
};

}  // namespace

std::string_view name_of(step_kind kind) noexcept {
  switch (kind) {
    case step_kind::open_topic:
      return "topic";
    case step_kind::swap:
      return "swap";
    case step_kind::configure:
      return "configure";
    case step_kind::adjust:
      return "adjust";
    case step_kind::remove:
      return "remove";
    case step_kind::add:
      return "add";
    case step_kind::note:
      return "note";
    case step_kind::restart:
      return "restart";
    case step_kind::impossible:
      return "impossible";
  }
  return "";
}

std::vector<step> steps_of(const host_view& view) {
  findings found;
  find_steps_of_whole(view, found);
  plugin_steps(view, found).find();
  std::stable_sort(found.steps.begin(), found.steps.end(),
                   [](const step& a, const step& b) { return rank(a) < rank(b); });
  return std::move(found.steps);
}

}  // namespace gantry::plan
