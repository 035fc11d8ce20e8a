// What differs for the plugins of a host: those that come, stay and leave.
#include <algorithm>
#include <utility>

#include "lifecycle/loading.hpp"
#include "plan/diff.hpp"

namespace gantry::plan {
namespace {

using topology::isolation_mode;
using topology::plugin_settings;
using topology::store_driver;
using topology::store_settings;

std::vector<std::string> hosts_of(const plugin_settings& plugin) {
  std::vector<std::string> out;
  for (const auto& host : plugin.hosts) out.push_back(*host);
  return out;
}

// None: the topology has no such plugin.
std::vector<std::string> hosts_of(const topology::topology& model, const std::string& plugin) {
  const auto found = model.plugins.find(plugin);
  return found == model.plugins.end() ? std::vector<std::string>() : hosts_of(found->second);
}

bool has(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

// Where a plugin keeps its rows, for a person.
std::string place_of(const store_settings& store, const std::string& plugin) {
  if (*store.driver == store_driver::sqlite) return "SQLite file " + topology::for_plugin(shown(store.path), plugin);
  return "PostgreSQL schema " + topology::for_plugin(shown(store.schema), plugin);
}

class plugin_steps : diff {
 public:
  plugin_steps(const host_view& view, findings& out) : diff(view, out), out_(out) {}

  void find() {
    for (const auto& [id, settings] : next_.plugins) placed(id, settings);
    for (const auto& [id, plugin] : view_.running)
      if (!view_.apart.contains(id) && !runs_on(next_, id, view_.host)) removed(id);
    for (const auto& id : view_.apart)
      if (!runs_on(next_, id, view_.host)) other_process(id, false);
    find_steps_of_swaps(view_, std::move(swaps_), out_);
  }

 private:
  static bool runs_on(const topology::topology& model, const std::string& plugin, const std::string& host) {
    return has(hosts_of(model, plugin), host);
  }

  void placed(const std::string& id, const plugin_settings& next) {
    const bool here = has(hosts_of(next), view_.host);
    const auto now = now_.plugins.find(id);
    if (now != now_.plugins.end() && !same_store(id, now->second, next)) return;
    if (!here) return;
    const bool before = now != now_.plugins.end() && has(hosts_of(now->second), view_.host);
    const bool process = *next.isolation == isolation_mode::process;
    if (!before && process) {
      other_process(id, true);
      return;
    }
    differences isolation;
    if (before) compare(isolation, "plugins." + id + ".isolation", now->second.isolation, next.isolation);
    restart_for(isolation);
    const bool apart = view_.apart.contains(id);
    if (apart && !before) {
      restart_for({"plugins." + id + ": it stays, as its process has not gone yet"});
      return;
    }
    if (apart && isolation.empty()) limited(id, now->second, next);
    const auto running = view_.running.find(id);
    if (running == view_.running.end() && (apart || process)) {
      silent(id, now->second, next);
    } else if (running == view_.running.end()) {
      added(id, next, {});
    } else if (!running->second.error.empty()) {
      added(id, next, running->second.error);
    } else {
      // What an apply that broke off has brought is there, and by the settings that it brought.
      kept(id, running->second, before ? now->second : next, next);
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
    if (topology::for_plugin(*place_a, id) != topology::for_plugin(*place_b, id) ||
        (!sqlite && !same_database(*a.url, *b.url))) {
      impossible(
          "the store of " + id,
          sqlite || same_database(*a.url, *b.url) ? where : place_of(a, id) + " in another database",
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
    // Their values may hold passwords.
    if (*a.url != *b.url) tuned.push_back("stores." + *next.store + ".url: another way to the same database");
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

  // A process comes or goes with another life of the host's own, as long as no host leaves the plugin to another one:
  // who takes its store over may not have it while the other is there, and no step makes one wait for the other's
  // restart.
  void other_process(const std::string& id, bool comes) {
    const auto from = hosts_of(now_, id);
    const auto to = hosts_of(next_, id);
    const auto& fewer = comes ? from : to;
    const auto& more = comes ? to : from;
    if (std::ranges::all_of(fewer, [&](const auto& host) { return has(more, host); })) {
      restart_for({"plugins." + id +
                   (comes ? ": it comes, with a process of its own" : ": it leaves, and with it its process")});
      return;
    }
    impossible("the move of " + id + " to or from a process of its own", listed(from) + " -> " + listed(to),
               "let it move without `isolation: process`, and apply that afterwards; or stop the hosts and start them "
               "with the new topology");
  }

  // What bounds a process is settled when it begins.
  void limited(const std::string& id, const plugin_settings& now, const plugin_settings& next) {
    differences limits;
    compare(limits, "plugins." + id + ".limits.memory", now.limits.memory, next.limits.memory);
    compare(limits, "plugins." + id + ".limits.cpu", now.limits.cpu, next.limits.cpu);
    restart_for(limits);
  }

  // Its process does not say what runs in it.
  void silent(const std::string& id, const plugin_settings& now, const plugin_settings& next) {
    auto& one = add(step_kind::note, id, "the process of " + id + " does not answer");
    one.effects.emplace_back("none now: what differs it takes over when it starts");
    supervised(id, now, next);
  }

  // What concerns whoever looks after the processes.
  void supervised(const std::string& id, const plugin_settings& now, const plugin_settings& next) {
    differences found;
    compare(found, "poison_after", now.poison_after, next.poison_after);
    compare(found, "restart.max_restarts", now.restart.max_restarts, next.restart.max_restarts);
    compare(found, "restart.window", now.restart.window, next.restart.window);
    if (found.empty()) return;
    auto& one = add(step_kind::note, id, "`gantry run` treats " + id + " otherwise");
    one.why = found;
    one.effects.emplace_back("none: it counts once `gantry run` itself is started anew");
  }

  void kept(const std::string& id, const running_plugin& running, const plugin_settings& now,
            const plugin_settings& next) {
    differences group;
    compare(group, "plugins." + id + ".group", now.group, next.group);
    restart_for(group);
    differences config;
    compare(config, now.config, next.config);
    compare(config, "stall_after", now.stall_after, next.stall_after);
    compare(config, "stall_kill_after", now.stall_kill_after, next.stall_kill_after);
    // A change that broke off between its steps and the adoption, or was adopted while its process was away.
    if (config.empty() && !running.settings.empty() && running.settings != lifecycle::settings_digest(next))
      config.emplace_back("it runs by another configuration than the host goes by");
    const auto library = view_.libraries.find(id);
    const bool other_file = library != view_.libraries.end() && library->second.digest != running.library_digest &&
                            library->second.digest != running.digest;
    if (other_file) {
      swaps_.push_back({id, &running, &library->second, config});
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
    supervised(id, now, next);
  }

  void added(const std::string& id, const plugin_settings& next, const std::string& failed) {
    const auto library = view_.libraries.find(id);
    const auto version = library == view_.libraries.end() ? std::string() : " " + library->second.promised.version;
    auto& one =
        add(step_kind::add, id, (failed.empty() ? "add " : "start ") + id + version + (failed.empty() ? "" : " again"));
    if (library != view_.libraries.end()) one.digest = library->second.digest;
    if (!failed.empty()) one.why.push_back("it has failed: " + failed);
    const auto before = hosts_of(now_, id);
    std::vector<std::string> leaving;
    std::vector<std::string> staying;
    for (const auto& host : before) {
      if (host == view_.host) continue;
      (has(hosts_of(next), host) ? staying : leaving).push_back(host);
    }
    one.between_hosts = !leaving.empty();
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

  void removed(const std::string& id) {
    const auto goes_to = hosts_of(next_, id);
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
    const auto before = hosts_of(now_, id);
    one.between_hosts = !std::ranges::all_of(goes_to, [&](const auto& host) { return has(before, host); });
    if (shares_store(id)) {
      one.effects.emplace_back("none: others have its requests and partitions by then");
    } else {
      one.first = true;
      one.effects.push_back("its requests fail and its events wait until " + listed(goes_to) + " has it");
    }
  }

  findings& out_;
  std::vector<planned_swap> swaps_;
};

}  // namespace

void find_steps_of_plugins(const host_view& view, findings& out) { plugin_steps(view, out).find(); }

}  // namespace gantry::plan
