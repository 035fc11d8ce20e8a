#include <array>
#include <utility>

#include "topology/address.hpp"
#include "topology/config_json.hpp"
#include "topology/document.hpp"
#include "topology/names.hpp"
#include "topology/section.hpp"
#include "topology/topology.hpp"

namespace gantry::topology {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::uint64_t kib = 1024;
constexpr std::uint64_t mib = 1024 * kib;
constexpr std::uint64_t most_partitions = 10'000;
constexpr std::uint64_t most_replicas = 1'000;
constexpr std::uint64_t most_count = 1'000'000'000;

const yaml_node nothing{};

const yaml_node& child(const section& parent, std::string_view key) {
  const yaml_node* found = parent.find(key);
  return found != nullptr ? *found : nothing;
}

// The place of a section that may be absent.
location place_or(const section& parent, std::string_view key) {
  return parent.find(key) != nullptr ? parent.key_place(key) : parent.at();
}

template <typename E, std::size_t N>
setting<E> read_enum(const section& from, std::string_view key, const std::array<E, N>& values) {
  std::vector<std::string> names;
  for (const E value : values) names.emplace_back(name_of(value));
  auto index = from.choice(key, 0, names);
  return {values[*index], index.at, index.given, std::move(index.reference), index.unread};
}

setting<std::string> read_address(const section& from, std::string_view key, std::string otherwise) {
  auto text = from.text(key, std::move(otherwise));
  if (text.given && !parse_address(*text)) {
    from.report(text.at, key, text.secret() ? "the value of " + text.reference : '"' + *text + '"',
                "an address such as 127.0.0.1:8080");
  }
  return text;
}

// Texts that may hold {plugin} and no other placeholder.
setting<std::string> read_pattern(const section& from, std::string_view key, std::string otherwise) {
  auto text = from.text(key, std::move(otherwise));
  const std::string rest = for_plugin(shown(text), "");
  const std::size_t brace = text.secret() ? std::string::npos : rest.find('{');
  if (brace != std::string::npos) {
    const std::string placeholder = rest.substr(brace, rest.find('}', brace) + 1 - brace);
    from.report(text.at, key, "placeholder " + placeholder, "{plugin} or none");
  }
  return text;
}

class topology_reader {
 public:
  topology_reader(parse_state& state, topology& model) : state_(state), model_(model) {}

  void read(const yaml_node& root) {
    const section file(state_, root, "",
                       {"version", "name", "state", "bus", "stores", "topics", "hosts", "plugin_path", "plugins",
                        "outbox", "trust", "limits"});
    model_.at = root.at;
    read_version(file);
    read_name(file);
    model_.state = file.text("state", "data/state");
    read_bus(file);
    read_stores(file);
    read_topics(file);
    read_hosts(file);
    model_.plugin_path = file.texts("plugin_path");
    read_plugins(file);
    const section outbox(state_, child(file, "outbox"), "outbox", {"max_bytes"});
    model_.outbox_max_bytes = outbox.size("max_bytes", 256 * mib);
    read_trust(file);
    read_limits(file);
  }

 private:
  void read_version(const section& file) {
    if (file.find("version") == nullptr) {
      file.report(file.at(), "version", "nothing", "1, the version of the file's format", "add version: 1");
      return;
    }
    (void)file.integer("version", 1, 1, 1);
  }

  void read_name(const section& file) {
    model_.name = file.text("name", "gantry");
    if (file.find("name") == nullptr) {
      file.report(file.at(), "name", "nothing", "a name for the topology", "add name: shop");
    } else if (!is_plugin_id(*model_.name)) {
      file.report(model_.name.at, "name", '"' + shown(model_.name) + '"',
                  "lower case letters, digits and '-', a letter first, at most 63");
    }
  }

  void read_bus(const section& file) {
    const section bus(state_, child(file, "bus"), "bus",
                      {"driver", "path", "sync", "brokers", "replication", "min_insync", "properties", "owner", "socket"});
    bus_settings& out = model_.bus;
    out.at = place_or(file, "bus");
    out.driver = read_enum<bus_driver>(bus, "driver", std::array{bus_driver::local, bus_driver::kafka});
    out.path = bus.text("path", "data/bus");
    const yaml_node* sync = bus.find("sync");
    if (sync != nullptr && sync->what == yaml_node::kind::scalar && sync->text == "always") {
      out.sync = {std::chrono::microseconds{0}, sync->at, true, {}};
    } else {
      out.sync = bus.duration("sync", milliseconds{5});
    }
    out.brokers = bus.text("brokers", "");
    out.replication = bus.integer("replication", 0, 1, most_replicas);
    out.min_insync = bus.integer("min_insync", 0, 1, most_replicas);
    out.owner = bus.text("owner", "");
    out.socket = bus.text("socket", *out.path + "/bus.sock");
    const section properties(state_, child(bus, "properties"), "bus.properties", {});
    for (const auto& [key, value] : properties.entries()) out.properties[key] = properties.text(key, "");
  }

  void read_stores(const section& file) {
    const section stores(state_, child(file, "stores"), "stores", {});
    for (const auto& [name, value] : stores.entries()) {
      const section store(state_, *value, stores.path_of(name),
                          {"driver", "path", "durability", "url", "schema", "pool", "read_url", "read_max_lag"});
      read_store(store, stores.key_place(name), model_.stores[name]);
    }
    if (file.find("stores") == nullptr) {
      read_store(section(state_, nothing, "stores.default", {}), model_.at, model_.stores["default"]);
    }
  }

  static void read_store(const section& store, location at, store_settings& out) {
    out.at = at;
    out.driver = read_enum<store_driver>(store, "driver", std::array{store_driver::sqlite, store_driver::postgres});
    out.path = read_pattern(store, "path", "data/{plugin}.db");
    out.url = store.text("url", "");
    out.schema = read_pattern(store, "schema", "{plugin}");
    out.pool = store.integer("pool", 8, 1, 1'000);
    out.read_url = store.text("read_url", "");
    out.read_max_lag = store.duration("read_max_lag", seconds{10});
    out.durability = read_enum<store_durability>(store, "durability",
                                                 std::array{store_durability::power, store_durability::process});
  }

  void read_topics(const section& file) {
    const section topics(state_, child(file, "topics"), "topics", {});
    for (const auto& [name, value] : topics.entries()) {
      const section topic(state_, *value, topics.path_of(name),
                          {"partitions", "retention", "max_bytes", "max_message", "external"});
      if (!is_topic_name(name)) {
        state_.report(topics.key_place(name), "topics", "topic \"" + name + '"',
                      "letters, digits, '.', '_' and '-', at most 249");
      }
      topic_settings& out = model_.topics[name];
      out.at = topics.key_place(name);
      out.partitions = topic.integer("partitions", 1, 1, most_partitions);
      out.retention = topic.duration("retention", hours{24 * 7});
      out.max_bytes = topic.size("max_bytes", 0);
      out.max_message = topic.size("max_message", mib);
      out.external = topic.boolean("external", false);
    }
  }

  void read_hosts(const section& file) {
    const section hosts(state_, child(file, "hosts"), "hosts", {});
    for (const auto& [name, value] : hosts.entries()) {
      const section host(state_, *value, hosts.path_of(name), {"http", "advertise", "machine", "tls", "admin", "restart"});
      if (!is_host_name(name)) {
        state_.report(hosts.key_place(name), "hosts", "host \"" + name + '"',
                      "letters, digits, '.', '_' and '-', at most 63");
      }
      read_host(host, hosts.key_place(name), model_.hosts[name]);
    }
    if (hosts.entries().empty()) {
      state_.report(place_or(file, "hosts"), "hosts", "no host", "at least one",
                    "add hosts: { main: { http: 127.0.0.1:8080 } }");
    }
  }

  void read_host(const section& host, location at, host_settings& out) {
    out.at = at;
    out.http = read_address(host, "http", "127.0.0.1:8080");
    out.advertise = read_address(host, "advertise", *out.http);
    if (!out.advertise.given) out.advertise.reference = out.http.reference;
    out.machine = host.text("machine", "");
    const section tls(state_, child(host, "tls"), host.path_of("tls"), {"cert", "key", "ca"});
    out.tls.given = host.find("tls") != nullptr;
    out.tls.at = place_or(host, "tls");
    out.tls.cert = tls.text("cert", "");
    out.tls.key = tls.text("key", "");
    out.tls.ca = tls.text("ca", "");
    const section admin(state_, child(host, "admin"), host.path_of("admin"), {"address", "token"});
    out.admin.given = host.find("admin") != nullptr;
    out.admin.at = place_or(host, "admin");
    out.admin.address = read_address(admin, "address", "");
    out.admin.token = admin.text("token", "");
    read_restart(host, out.restart);
  }

  void read_restart(const section& parent, restart_settings& out) {
    const section restart(state_, child(parent, "restart"), parent.path_of("restart"), {"max_restarts", "window"});
    out.max_restarts = restart.integer("max_restarts", 5, 0, 1'000'000);
    out.window = restart.duration("window", seconds{60});
  }

  void read_plugins(const section& file) {
    const section plugins(state_, child(file, "plugins"), "plugins", {});
    for (const auto& [id, value] : plugins.entries()) {
      const section plugin(state_, *value, plugins.path_of(id),
                           {"library", "hosts", "store", "isolation", "group", "poison", "batch", "stall_after",
                            "stall_kill_after", "poison_after", "restart", "swap", "limits", "config"});
      if (!is_plugin_id(id)) {
        state_.report(plugins.key_place(id), "plugins", "plugin \"" + id + '"',
                      "lower case letters, digits and '-', a letter first, at most 63");
      }
      read_plugin(plugin, id, plugins.key_place(id), model_.plugins[id]);
    }
    if (plugins.entries().empty()) {
      state_.warn(place_or(file, "plugins"), "plugins", "no plugin", "at least one");
    }
  }

  void read_plugin(const section& plugin, const std::string& id, location at, plugin_settings& out) {
    out.at = at;
    out.library = plugin.text("library", id);
    out.hosts = plugin.texts("hosts");
    out.hosts_at = place_or(plugin, "hosts");
    if (plugin.find("hosts") == nullptr && model_.hosts.size() == 1) {
      out.hosts.push_back({model_.hosts.begin()->first, at, false, {}});
    }
    out.store = plugin.text("store", "default");
    out.isolation =
        read_enum<isolation_mode>(plugin, "isolation", std::array{isolation_mode::none, isolation_mode::process});
    out.group = plugin.text("group", "");
    out.poison = read_enum<poison_policy>(
        plugin, "poison", std::array{poison_policy::park_key, poison_policy::skip, poison_policy::halt});
    const section batch(state_, child(plugin, "batch"), plugin.path_of("batch"), {"max"});
    out.batch_max = batch.integer("max", 1024, 1, 10'000);
    out.stall_after = plugin.duration("stall_after", seconds{5});
    out.stall_kill_after = plugin.duration("stall_kill_after", *out.stall_after * 5);
    out.poison_after = plugin.integer("poison_after", 3, 1, 1'000);
    read_restart(plugin, out.restart);
    const section swap(state_, child(plugin, "swap"), plugin.path_of("swap"), {"drain", "probation"});
    out.swap.drain = swap.duration("drain", seconds{30});
    out.swap.probation = swap.duration("probation", seconds{10});
    const section limits(state_, child(plugin, "limits"), plugin.path_of("limits"), {"memory", "cpu"});
    out.limits.memory = limits.size("memory", 0);
    out.limits.cpu = limits.number("cpu", 0);
    out.config = read_config(state_, plugin.find("config"), at, plugin.path_of("config"));
  }

  void read_trust(const section& file) {
    const section trust(state_, child(file, "trust"), "trust", {"required", "keys"});
    model_.trust.at = place_or(file, "trust");
    model_.trust.required = trust.boolean("required", false);
    model_.trust.keys = trust.texts("keys");
  }

  void read_limits(const section& file) {
    const section limits(state_, child(file, "limits"), "limits",
                         {"body", "headers", "requests", "parked", "deadline"});
    model_.limits.body = limits.size("body", mib);
    model_.limits.headers = limits.size("headers", 16 * kib);
    model_.limits.requests = limits.integer("requests", 4'096, 1, most_count);
    model_.limits.parked = limits.integer("parked", 10'000, 1, most_count);
    model_.limits.deadline = limits.duration("deadline", seconds{30});
  }

  parse_state& state_;
  topology& model_;
};

}  // namespace

parsed_topology parse_topology(const std::string& text, const std::string& file, const env_lookup& env) {
  parsed_topology out;
  out.model.file = file;
  parse_state state{file, &env, {}};
  location where;
  auto document = read_document(text, where);
  if (!document) {
    state.report(where, "the file", document.failure().text, "one YAML document");
  } else {
    topology_reader(state, out.model).read(*document);
  }
  sort_by_place(state.problems);
  out.problems = std::move(state.problems);
  return out;
}

}  // namespace gantry::topology
