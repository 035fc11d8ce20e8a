// Where things run and keep their data: bus, hosts, addresses, stores, groups.
#include <algorithm>
#include <filesystem>
#include <set>

#include "topology/address.hpp"
#include "topology/checks.hpp"
#include "topology/names.hpp"

namespace gantry::topology {
namespace {

constexpr std::uint64_t least_memory = std::uint64_t{48} * 1024 * 1024;
constexpr double least_cpu = 0.05;

// The hosts that some plugin runs on.
std::set<std::string> used_hosts(const topology& model) {
  std::set<std::string> out;
  for (const auto& entry : model.plugins) {
    for (const auto& host : entry.second.hosts) {
      if (model.hosts.contains(*host)) out.insert(*host);
    }
  }
  return out;
}

std::set<std::string> machines_of(const topology& model, const std::set<std::string>& hosts) {
  std::set<std::string> out;
  for (const std::string& host : hosts) out.insert(*model.hosts.at(host).machine);
  return out;
}

std::set<std::string> machines_of(const topology& model, const plugin_settings& plugin) {
  std::set<std::string> hosts;
  for (const auto& host : plugin.hosts) {
    if (model.hosts.contains(*host)) hosts.insert(*host);
  }
  return machines_of(model, hosts);
}

bool share_one(const std::set<std::string>& a, const std::set<std::string>& b) {
  return std::ranges::any_of(a, [&b](const std::string& each) { return b.contains(each); });
}

template <typename T>
void warn_unused(check_run& run, const setting<T>& value, const std::string& subject, std::string_view why) {
  if (value.given) run.warn(value.at, subject, "a value without effect", std::string(why), "leave it out");
}

void check_tls(check_run& run, const std::string& subject, const tls_settings& tls) {
  if (!tls.given) return;
  for (const auto& [key, file] : {std::pair{"cert", &tls.cert}, std::pair{"key", &tls.key}}) {
    if (!file->given) run.report(tls.at, subject + ".tls", std::string("no ") + key, "cert and key");
  }
  for (const auto& [key, file] : {std::pair{"cert", &tls.cert}, std::pair{"key", &tls.key}, std::pair{"ca", &tls.ca}}) {
    if (file->given && !run.exists(**file)) {
      run.report(file->at, subject + ".tls." + key, in_quotes(shown(*file)) + ", which is not there", "a PEM file");
    }
  }
}

void check_admin(check_run& run, const std::string& subject, const host_settings& host) {
  if (!host.admin.given || host.admin.token.given) return;
  const auto& served_on = host.admin.address.given ? host.admin.address : host.http;
  const auto address = parse_address(*served_on);
  if (!address || is_loopback(*address)) return;
  run.report(host.admin.at, subject + ".admin", "operations on " + in_quotes(shown(served_on)) + " without a token",
             "an address of this machine alone, or a token", "add token: ${file:/run/secrets/admin}");
}

// Others must be able to reach a host: not on "every interface", a port still to be chosen, or another's loopback.
void check_reachable(check_run& run, const std::string& name, bool several_machines) {
  const host_settings& host = run.model.hosts.at(name);
  const auto address = parse_address(*host.advertise);
  if (!address) return;
  const bool wildcard = address->host == "0.0.0.0" || address->host == "::" || address->port == 0;
  if (!wildcard && !(several_machines && is_loopback(*address))) return;
  run.report(host.advertise.given ? host.advertise.at : host.http.at,
             "hosts." + name + (host.advertise.given ? ".advertise" : ".http"),
             in_quotes(shown(host.advertise)) + ", which other hosts can't reach", "an address that they can",
             host.advertise.given ? "" : "add advertise: NAME:PORT");
}

struct listener {
  std::string subject;
  const setting<std::string>* text;
  std::string machine;
};

}  // namespace

void check_bus(check_run& run) {
  const bus_settings& bus = run.model.bus;
  if (bus.owner.given && !run.model.hosts.contains(*bus.owner)) {
    run.report(bus.owner.at, "bus.owner", "host " + in_quotes(shown(bus.owner)), listed(names_in(run.model.hosts)),
               did_you_mean(*bus.owner, names_in(run.model.hosts)));
  }
  // What is unread is a problem already, and what would follow from its default is none.
  if (bus.driver.unread) return;
  if (*bus.driver == bus_driver::kafka) {
    if (!bus.brokers.given && !bus.brokers.unread) {
      run.report(bus.driver.at, "bus", "driver kafka without brokers", "brokers: host:port, ...",
                 "add brokers: 127.0.0.1:9092");
    }
    if (bus.replication.given && *bus.min_insync > *bus.replication) {
      run.report(bus.min_insync.at, "bus.min_insync", "number " + std::to_string(*bus.min_insync),
                 "at most bus.replication, which is " + std::to_string(*bus.replication),
                 "with fewer replicas no event would ever be taken");
    }
    warn_unused(run, bus.path, "bus.path", "driver local, which alone uses it");
    warn_unused(run, bus.sync, "bus.sync", "driver local, which alone uses it");
    warn_unused(run, bus.owner, "bus.owner", "driver local, which alone uses it");
    warn_unused(run, bus.socket, "bus.socket", "driver local, which alone uses it");
    return;
  }
  warn_unused(run, bus.brokers, "bus.brokers", "driver kafka, which alone uses it");
  warn_unused(run, bus.replication, "bus.replication", "driver kafka, which alone uses it");
  warn_unused(run, bus.min_insync, "bus.min_insync", "driver kafka, which alone uses it");
  for (const auto& [key, value] : bus.properties) {
    warn_unused(run, value, "bus.properties." + key, "driver kafka, which alone uses it");
  }
  const std::set<std::string> hosts = used_hosts(run.model);
  if (machines_of(run.model, hosts).size() > 1) {
    run.report(bus.driver.at, "bus.driver", "driver local with hosts on several machines",
               "driver kafka, which spans machines");
  } else if (hosts.size() > 1 && !bus.owner.given) {
    run.report(bus.at, "bus", "driver local with several hosts and no owner", "owner: one of the hosts",
               "add owner: " + *hosts.begin());
  }
}

void check_addresses(check_run& run) {
  std::vector<listener> listeners;
  for (const auto& [name, host] : run.model.hosts) {
    const std::string subject = "hosts." + name;
    listeners.push_back({subject + ".http", &host.http, *host.machine});
    if (host.admin.address.given) listeners.push_back({subject + ".admin.address", &host.admin.address, *host.machine});
    check_tls(run, subject, host.tls);
    check_admin(run, subject, host);
  }
  std::ranges::stable_sort(listeners, {}, [](const listener& each) { return each.text->at; });
  for (std::size_t i = 0; i < listeners.size(); ++i) {
    const auto here = parse_address(**listeners[i].text);
    for (std::size_t j = 0; here && j < i; ++j) {
      const auto other = parse_address(**listeners[j].text);
      if (!other || listeners[i].machine != listeners[j].machine || !collide(*here, *other)) continue;
      run.report(listeners[i].text->at, listeners[i].subject, "address " + in_quotes(shown(*listeners[i].text)),
                 "an address of its own", listeners[j].subject + " uses it already");
      break;
    }
  }
  const std::set<std::string> used = used_hosts(run.model);
  const bool several_machines = machines_of(run.model, used).size() > 1;
  for (const std::string& name : used) {
    if (used.size() > 1) check_reachable(run, name, several_machines);
  }
}

void check_placement(check_run& run) {
  const std::vector<std::string> hosts = names_in(run.model.hosts);
  if (hosts.empty()) return;  // the parser said so; that no plugin finds its host follows from it
  for (const auto& [id, plugin] : run.model.plugins) {
    const std::string subject = "plugins." + id + ".hosts";
    if (plugin.hosts.empty()) {
      run.report(plugin.hosts_at, subject, "no host", "at least one of " + listed(hosts));
    }
    std::set<std::string> seen;
    for (const auto& host : plugin.hosts) {
      if (!run.model.hosts.contains(*host)) {
        run.report(host.at, subject, "host " + in_quotes(shown(host)), listed(hosts), did_you_mean(*host, hosts));
      } else if (!seen.insert(*host).second) {
        run.report(host.at, subject, "host " + in_quotes(shown(host)) + " again", "each host once");
      }
    }
  }
}

void check_stores(check_run& run) {
  for (const auto& [name, store] : run.model.stores) {
    const std::string subject = "stores." + name;
    if (store.driver.unread) continue;
    if (*store.driver == store_driver::postgres) {
      if (!store.url.given && !store.url.unread) {
        run.report(store.driver.at, subject, "driver postgres without url", "url: postgres://...",
                   "add url: \"${env:PG_URL}\"");
      }
      warn_unused(run, store.path, subject + ".path", "driver sqlite, which alone uses it");
      if (!store.read_url.given && !store.read_url.unread)
        warn_unused(run, store.read_max_lag, subject + ".read_max_lag", "read_url, whose replica it is about");
    } else {
      warn_unused(run, store.url, subject + ".url", "driver postgres, which alone uses it");
      warn_unused(run, store.schema, subject + ".schema", "driver postgres, which alone uses it");
      warn_unused(run, store.pool, subject + ".pool", "driver postgres, which alone uses it");
      warn_unused(run, store.read_url, subject + ".read_url", "driver postgres, which alone uses it");
      warn_unused(run, store.read_max_lag, subject + ".read_max_lag", "driver postgres, which alone uses it");
    }
  }
  struct place {
    std::string plugin;
    std::string where;
    std::set<std::string> machines;
  };
  std::vector<place> places;
  for (const auto& [id, plugin] : run.model.plugins) {
    const auto entry = run.model.stores.find(*plugin.store);
    if (entry == run.model.stores.end()) {
      run.report(plugin.store.given ? plugin.store.at : plugin.at, "plugins." + id + ".store",
                 "store " + in_quotes(shown(plugin.store)), listed(names_in(run.model.stores)),
                 did_you_mean(*plugin.store, names_in(run.model.stores)));
      continue;
    }
    const store_settings& store = entry->second;
    const bool sqlite = *store.driver == store_driver::sqlite;
    if (store.driver.unread || (!sqlite && store.url.unread)) continue;
    if (sqlite && plugin.hosts.size() > 1) {
      run.report(plugin.hosts_at, "plugins." + id + ".hosts",
                 std::to_string(plugin.hosts.size()) + " replicas on SQLite store " + in_quotes(entry->first),
                 "one host, or a store with driver postgres", "`gantry store copy` moves the data");
    }
    const auto& pattern = sqlite ? store.path : store.schema;
    std::string where = for_plugin(*pattern, id);
    if (sqlite) {
      std::error_code code;
      where = std::filesystem::absolute(where, code).lexically_normal().string();
    } else {
      where = *store.url + '\n' + where;
    }
    const std::set<std::string> machines = sqlite ? machines_of(run.model, plugin) : std::set<std::string>{};
    const auto same = std::ranges::find_if(places, [&](const place& other) {
      return other.where == where && (!sqlite || share_one(other.machines, machines));
    });
    if (same != places.end()) {
      run.report(plugin.at, "plugins." + id + ".store",
                 (sqlite ? "SQLite file " : "schema ") + in_quotes(for_plugin(shown(pattern), id)) + ", which plugin " +
                     in_quotes(same->plugin) + " has too",
                 "a place of its own", "put {plugin} into stores." + entry->first + (sqlite ? ".path" : ".schema"));
    }
    places.push_back({id, where, machines});
  }
}

void check_isolation(check_run& run) {
  for (const auto& [id, plugin] : run.model.plugins) {
    const std::string subject = "plugins." + id;
    const auto& limits = plugin.limits;
    if (limits.memory.given && *limits.memory < least_memory) {
      run.report(limits.memory.at, subject + ".limits.memory", std::to_string(*limits.memory) + " bytes",
                 "at least 48MiB", "its process needs that much before the plugin does anything");
    }
    if (limits.cpu.given && *limits.cpu < least_cpu) {
      run.report(limits.cpu.at, subject + ".limits.cpu", "fewer than 0.05 processors", "at least 0.05 processors");
    }
    if (*plugin.isolation == isolation_mode::process) continue;
    constexpr std::string_view why = "isolation: process, which alone uses it";
    warn_unused(run, plugin.limits.memory, subject + ".limits.memory", why);
    warn_unused(run, plugin.limits.cpu, subject + ".limits.cpu", why);
    warn_unused(run, plugin.restart.max_restarts, subject + ".restart.max_restarts", why);
    warn_unused(run, plugin.restart.window, subject + ".restart.window", why);
  }
}

void check_groups(check_run& run) {
  std::map<std::string, std::string> owners;
  for (const auto& [id, plugin] : run.model.plugins) {
    const auto [owner, first] = owners.emplace(group_of(run.model, id), id);
    if (first) continue;
    run.report(plugin.group.given ? plugin.group.at : plugin.at, "plugins." + id + ".group",
               "group " + in_quotes(plugin.group.given ? shown(plugin.group) : owner->first), "a group of its own",
               "plugin " + in_quotes(owner->second) + " has it too");
  }
}

}  // namespace gantry::topology
