#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>

#include "sample_shop.hpp"

namespace gantry::topology {
namespace {

struct broken_case {
  std::string name;
  std::vector<std::string> lines;
  void (*edit)(manifest_map& manifests) = nullptr;
};

void PrintTo(const broken_case& broken, std::ostream* out) { *out << broken.name; }

class BrokenTopologyTest : public ::testing::TestWithParam<broken_case> {};

bool sample_files(const std::string& path) {
  return path == "plugins/catalog.so" || path == "plugins/inventory.so" || path == "plugins/order.so";
}

TEST_P(BrokenTopologyTest, EveryProblemIsSaidAtOnceWithItsPlaceAndWhatToDo) {
  const std::string file = GetParam().name + ".yaml";
  parsed_topology parsed = parse_topology(file_text(std::string(BROKEN_DIR) + "/" + file), file, no_env);
  manifest_map manifests = sample_manifests();
  if (GetParam().edit != nullptr) GetParam().edit(manifests);
  std::vector<problem> all = parsed.problems;
  for (auto& each : validate(parsed.model, of_topology(manifests, parsed.model), sample_files)) all.push_back(each);
  sort_by_place(all);
  std::vector<std::string> lines;
  for (const problem& each : all) lines.push_back(to_text(each).substr(file.size() + 1));
  EXPECT_EQ(lines, GetParam().lines) << [&lines] {
    std::string text;
    for (const auto& line : lines) text += "        R\"~(" + line + ")~\",\n";
    return text;
  }();
}

const std::vector<broken_case>& cases() {
  static const std::vector<broken_case> list{
      {"address_twice",
       {
           R"~(12:17: error: hosts.east.http: found address "localhost:8080", expected an address of its own; hosts.main.http uses it already)~",
       }},
      {"call_to_nobody",
       {
           R"~(17:3: error: plugins.order: found calls to plugin "catalog", which is not there, expected it among the plugins)~",
       }},
      {"config_against_schema",
       {
           R"~(23:7: error: plugins.order.config.reservation_timeuot: found unknown key "reservation_timeuot", expected reservation_timeout, attempts, saga, token or carriers; did you mean "reservation_timeout"?)~",
           R"~(24:7: error: plugins.order.config.attempts: found number 100, expected at most 10)~",
           R"~(25:7: error: plugins.order.config.saga: found "choreografy", expected "orchestration" or "choreography"; did you mean "choreography"?)~",
           R"~(26:18: error: plugins.order.config.carriers[0]: found no key "zone", expected it to be there)~",
           R"~(26:20: error: plugins.order.config.carriers[0].name: found number 7, expected text; put quotes around it)~",
       }},
      {"isolation_limits",
       {
           R"~(11:52: error: plugins.catalog.limits.memory: found 16777216 bytes, expected at least 48MiB; its process needs that much before the plugin does anything)~",
           R"~(11:64: error: plugins.catalog.limits.cpu: found fewer than 0.05 processors, expected at least 0.05 processors)~",
           R"~(12:34: warning: plugins.inventory.limits.memory: found a value without effect, expected isolation: process, which alone uses it; leave it out)~",
       }},
      {"cycle_of_calls",
       {
           R"~(14:3: error: plugins.catalog: found a cycle of calls: catalog -> inventory -> order -> catalog, expected calls that end; let one of them listen to an event instead)~",
       },
       [](manifest_map& m) {
         m["catalog"].calls = {"inventory"};
         m["inventory"].calls = {"order"};
       }},
      {"duplicate_key",
       {
           R"~(21:5: error: plugins.order: found key "hosts" again, expected each key once; the first is in line 20)~",
       }},
      {"environment",
       {
           R"~(3:29: error: bus.path: found ${env:BUS_DIR}, which is not set, expected an environment variable of that name; set it, or give a default: ${env:BUS_DIR:-...})~",
           R"~(11:17: error: hosts.main.http: found ${evn:PORT}, expected ${env:NAME} or ${file:/path}; did you mean "env"?)~",
           R"~(22:36: error: plugins.order.config.reservation_timeout: found ${file:/nowhere/timeout}, which can't be read: No such file or directory, expected a file that this process may read)~",
       }},
      {"kafka_without_brokers",
       {
           R"~(3:16: error: bus: found driver kafka without brokers, expected brokers: host:port, ...; add brokers: 127.0.0.1:9092)~",
       }},
      {"missing_basics",
       {
           R"~(1:1: error: version: found nothing, expected 1, the version of the file's format; add version: 1)~",
           R"~(1:1: error: name: found nothing, expected a name for the topology; add name: shop)~",
           R"~(8:1: error: hosts: found no host, expected at least one; add hosts: { main: { http: 127.0.0.1:8080 } })~",
           R"~(10:1: error: the file: found unknown key "plugin", expected version, name, state, bus, stores, topics, hosts, plugin_path, plugins, outbox, trust or limits; did you mean "plugins"?)~",
       }},
      {"missing_library",
       {
           R"~(20:14: error: plugins.order.library: found no file for "odrer", expected plugins/odrer.so; build it, or correct plugin_path)~",
       }},
      {"more_insync_than_replicas",
       {
           R"~(3:74: error: bus.min_insync: found number 3, expected at most bus.replication, which is 2; with fewer replicas no event would ever be taken)~",
       }},
      {"no_owner",
       {
           R"~(3:1: error: bus: found driver local with several hosts and no owner, expected owner: one of the hosts; add owner: east)~",
       }},
      {"no_partitions",
       {
           R"~(7:31: error: topics.order-events.partitions: found number 0, expected a whole number from 1 to 10000)~",
       }},
      {"nobody_emits",
       {
           R"~(19:3: error: plugins.order: found a consumer of "InventoryReserved" of topic "inventory-events", which nobody emits, expected a plugin that emits it; did you mean "InventoryReservd"?)~",
       },
       [](manifest_map& m) { m["inventory"].emits[0].type = "InventoryReservd"; }},
      {"not_yaml",
       {
           R"~(18:10: error: the file: found text that is not YAML (end of sequence flow not found), expected one YAML document)~",
       }},
      {"one_file",
       {
           R"~(16:3: error: plugins.inventory.store: found SQLite file "data/shop.db", which plugin "catalog" has too, expected a place of its own; put {plugin} into stores.default.path)~",
           R"~(19:3: error: plugins.order.store: found SQLite file "data/shop.db", which plugin "catalog" has too, expected a place of its own; put {plugin} into stores.default.path)~",
       }},
      {"one_group",
       {
           R"~(21:12: error: plugins.order.group: found group "inventory-consumers", expected a group of its own; plugin "inventory" has it too)~",
       }},
      {"postgres_without_url",
       {
           R"~(5:66: error: stores.default.durability: found "sometimes", expected power or process)~",
           R"~(6:17: error: stores.pg: found driver postgres without url, expected url: postgres://...; add url: "${env:PG_URL}")~",
           R"~(6:35: error: stores.pg.schema: found placeholder {host}, expected {plugin} or none)~",
       }},
      {"replicas_on_sqlite",
       {
           R"~(21:5: error: plugins.order.hosts: found 2 replicas on SQLite store "default", expected one host, or a store with driver postgres; `gantry store copy` moves the data)~",
       }},
      {"route_twice",
       {
           R"~(19:3: error: plugins.order: found route GET /inventory/{id}, expected a route of its own; plugin "inventory" declares it too)~",
       },
       [](manifest_map& m) {
         m["order"].routes.push_back({"GET", "/inventory/{id}", false});
       }},
      {"schema_version",
       {
           R"~(19:3: error: plugins.order: found "InventoryReserved" of topic "inventory-events" in version 2 from plugin "inventory", expected version 1, which is what "order" reads; use a newer "order" or an older producer)~",
       },
       [](manifest_map& m) { m["inventory"].emits[0].version = 2; }},
      {"settings_unread",
       {
           R"~(3:32: error: bus.brokers: found ${env:BROKERS}, which is not set, expected an environment variable of that name; set it, or give a default: ${env:BROKERS:-...})~",
           R"~(5:37: error: stores.default.url: found ${env:PG_URL}, which is not set, expected an environment variable of that name; set it, or give a default: ${env:PG_URL:-...})~",
           R"~(6:35: error: stores.other.url: found ${file:/}, which can't be read: Is a directory, expected a file that this process may read)~",
           R"~(7:22: error: stores.unknown.driver: found ${env:DRIVER}, which is not set, expected an environment variable of that name; set it, or give a default: ${env:DRIVER:-...})~",
       }},
      {"several_machines",
       {
           R"~(3:16: error: bus.driver: found driver local with hosts on several machines, expected driver kafka, which spans machines)~",
           R"~(12:17: error: hosts.east.http: found "0.0.0.0:8080", which other hosts can't reach, expected an address that they can; add advertise: NAME:PORT)~",
       }},
      {"undeclared_topic",
       {
           R"~(9:3: warning: topics.inventory-event: found a topic that no plugin uses, expected one that is used; did you mean "inventory-events"?)~",
           R"~(16:3: error: plugins.inventory: found topic "inventory-events", which it emits to and topics doesn't declare, expected it among the topics; did you mean "inventory-event"?)~",
           R"~(19:3: error: plugins.order: found topic "inventory-events", which it consumes and topics doesn't declare, expected it among the topics; did you mean "inventory-event"?)~",
       }},
      {"units",
       {
           R"~(3:45: error: bus.sync: found number 5, expected a duration such as 5ms; add the unit, for example 5ms)~",
           R"~(7:45: error: topics.order-events.retention: found "7days", expected a duration such as 5ms; the units are us, ms, s, m, h or d)~",
           R"~(8:51: error: topics.inventory-commands.max_bytes: found "64Mib", expected a size such as 64MiB; did you mean "64MiB"?)~",
       }},
      {"unknown_key",
       {
           R"~(7:34: error: topics.order-events: found unknown key "retension", expected partitions, retention, max_bytes, max_message or external; did you mean "retention"?)~",
       }},
      {"unknown_names",
       {
           R"~(15:13: error: plugins.catalog.hosts: found host "mian", expected main; did you mean "main"?)~",
           R"~(21:12: error: plugins.order.store: found store "defualt", expected default; did you mean "default"?)~",
       }},
      {"untrusted",
       {
           R"~(11:31: error: hosts.main.admin: found operations on "0.0.0.0:8080" without a token, expected an address of this machine alone, or a token; add token: ${file:/run/secrets/admin})~",
           R"~(11:42: error: hosts.main.tls: found no key, expected cert and key)~",
           R"~(11:55: error: hosts.main.tls.cert: found "tls/cert.pem", which is not there, expected a PEM file)~",
           R"~(12:20: error: trust.keys: found no key, expected at least one, as trust.required is true; add the base64 line of a minisign public key)~",
       }},
      {"wrong_plugin",
       {
           R"~(19:3: error: plugins.ordre: found library of plugin "order", expected the library of "ordre"; name the entry as its plugin, or correct library)~",
       },
       [](manifest_map& m) { m["ordre"] = m["order"]; }},
      {"wrong_type",
       {
           R"~(7:31: error: topics.order-events.partitions: found "three", expected a whole number from 1 to 10000)~",
           R"~(12:14: error: plugin_path: found "plugins", expected a list; write [plugins])~",
           R"~(14:3: error: plugins.catalog.library: found no file for "catalog", expected a directory in plugin_path)~",
           R"~(16:3: error: plugins.inventory.library: found no file for "inventory", expected a directory in plugin_path)~",
           R"~(19:3: error: plugins.order.library: found no file for "order", expected a directory in plugin_path)~",
       }},
  };
  return list;
}

INSTANTIATE_TEST_SUITE_P(Files, BrokenTopologyTest, ::testing::ValuesIn(cases()),
                         [](const auto& each) { return each.param.name; });

TEST(BrokenTopologies, EachFileHasItsCase) {
  for (const auto& file : std::filesystem::directory_iterator(BROKEN_DIR)) {
    const std::string name = file.path().stem().string();
    const bool known = std::ranges::any_of(cases(), [&name](const auto& each) { return each.name == name; });
    EXPECT_TRUE(known) << name;
  }
}

}  // namespace
}  // namespace gantry::topology
