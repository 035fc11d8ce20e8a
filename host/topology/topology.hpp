// The topology file as typed values: which plugins run where, on which bus, with which stores.
//
// Every value knows where it stands in the file, so that later checks can point at it. Paths are kept as written;
// a relative one counts from the working directory of the process.
// Owned by whoever parsed it; not changed afterwards. Thread: any.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "topology/problem.hpp"

namespace gantry::topology {

// One value of the file. A default has given == false and the place of the section it belongs to.
template <typename T>
struct setting {
  T value{};
  location at;
  bool given = false;
  std::string reference;  // as written, without defaults, when (part of) it came by ${env:..} or ${file:..}
  bool unread = false;    // the file has one that can't be read, of which a problem tells; the default stands in its place

  // Such a value is a secret: print reference instead.
  bool secret() const noexcept { return !reference.empty(); }
  const T& operator*() const noexcept { return value; }
  const T* operator->() const noexcept { return &value; }
};

// What may be printed of a text: the reference where it is a secret.
inline const std::string& shown(const setting<std::string>& text) noexcept {
  return text.secret() ? text.reference : text.value;
}

enum class bus_driver { local, kafka };
enum class store_driver { sqlite, postgres };
enum class store_durability { power, process };
enum class isolation_mode { none, process };
enum class poison_policy { park_key, skip, halt };

std::string_view name_of(bus_driver value) noexcept;
std::string_view name_of(store_driver value) noexcept;
std::string_view name_of(store_durability value) noexcept;
std::string_view name_of(isolation_mode value) noexcept;
std::string_view name_of(poison_policy value) noexcept;

struct bus_settings {
  location at;
  setting<bus_driver> driver;
  setting<std::string> path;                               // local: directory of the journal
  setting<std::chrono::microseconds> sync;                 // local: time between two fsyncs; 0: each append (`always`)
  setting<std::string> brokers;                            // kafka: host:port, comma separated
  std::map<std::string, setting<std::string>> properties;  // kafka: passed to librdkafka
  setting<std::uint64_t> replication;                      // kafka: of topics that are made; 0: the brokers' default
  setting<std::uint64_t> min_insync;                       // kafka: of topics that are made; 0: the brokers' default
  setting<std::string> owner;                              // local: the host that owns the journal
  setting<std::string> socket;                             // local: the owner's Unix socket, for the other hosts
};

struct store_settings {
  location at;
  setting<store_driver> driver;
  setting<std::string> path;    // sqlite: with {plugin} for the plugin's id
  setting<std::string> url;     // postgres
  setting<std::string> schema;  // postgres: with {plugin}
  setting<std::uint64_t> pool;  // postgres: connections
  setting<std::string> read_url;                    // postgres: a replica for reads that may lag
  setting<std::chrono::microseconds> read_max_lag;  // postgres: beyond, the replica is not read
  setting<store_durability> durability;
};

struct topic_settings {
  location at;
  setting<std::uint64_t> partitions;
  setting<std::chrono::microseconds> retention;
  setting<std::uint64_t> max_bytes;    // of the whole topic; 0: no bound
  setting<std::uint64_t> max_message;  // of one encoded record
  setting<bool> external;              // its events come from outside this topology
};

struct tls_settings {
  location at;
  bool given = false;
  setting<std::string> cert;  // files, PEM
  setting<std::string> key;
  setting<std::string> ca;  // empty: clients need no certificate
};

struct admin_settings {
  location at;
  bool given = false;
  setting<std::string> address;  // empty: on the host's own address
  setting<std::string> token;
};

struct restart_settings {
  setting<std::uint64_t> max_restarts;  // within window; more give up
  setting<std::chrono::microseconds> window;
};

struct host_settings {
  location at;
  setting<std::string> http;       // where it listens, host:port
  setting<std::string> advertise;  // the address others use; as http unless given
  setting<std::string> machine;    // hosts of one machine have one name
  tls_settings tls;
  admin_settings admin;
  restart_settings restart;  // of its process, when one parent runs several hosts
};

// Where a value of a plugin's configuration stands, by its JSON pointer.
struct config_place {
  location key;  // of an element of a list: of the element
  location value;
  std::string reference;  // see setting
  bool unread = false;    // it refers to what is not there; null stands in its place
};

struct config_settings {
  location at;
  bool given = false;
  std::string json = "{}";   // an object, with the types that YAML's core schema gives; may hold secrets
  std::string shown = "{}";  // the same with references instead of secrets
  std::map<std::string, config_place, std::less<>> places;
};

struct swap_settings {
  setting<std::chrono::microseconds> drain;      // deadline for the work of the old generation
  setting<std::chrono::microseconds> probation;  // while the new one may still flip back
};

// Of a child host under isolation: process. 0: no bound.
struct child_limits {
  setting<std::uint64_t> memory;  // bytes
  setting<double> cpu;            // processors
};

struct plugin_settings {
  location at;
  setting<std::string> library;             // name looked up on plugin_path, or a path
  std::vector<setting<std::string>> hosts;  // several: replicas
  location hosts_at;
  setting<std::string> store;
  setting<isolation_mode> isolation;
  setting<std::string> group;
  setting<poison_policy> poison;
  setting<std::uint64_t> batch_max;  // requests or events in one transaction
  setting<std::chrono::microseconds> stall_after;
  setting<std::chrono::microseconds> stall_kill_after;  // 0: never
  setting<std::uint64_t> poison_after;  // crashes of the process on one event until it is parked
  restart_settings restart;
  swap_settings swap;
  child_limits limits;
  config_settings config;
};

struct trust_settings {
  location at;
  setting<bool> required;
  std::vector<setting<std::string>> keys;  // minisign public keys: the base64 line
};

struct limit_settings {
  setting<std::uint64_t> body;                  // bytes of a request
  setting<std::uint64_t> headers;               // bytes of a request's headers
  setting<std::uint64_t> requests;              // waiting for a worker of a host; and writes in one plugin's queue
  setting<std::uint64_t> parked;                // parked events of one plugin
  setting<std::chrono::microseconds> deadline;  // of a request that brings none
};

struct topology {
  std::string file;  // its name as given to the parser
  location at;
  setting<std::string> name;
  setting<std::string> state;  // directory of generations, receipts and pointers
  bus_settings bus;
  std::map<std::string, store_settings> stores;
  std::map<std::string, topic_settings> topics;
  std::map<std::string, host_settings> hosts;
  std::vector<setting<std::string>> plugin_path;
  std::map<std::string, plugin_settings> plugins;
  setting<std::uint64_t> outbox_max_bytes;  // per plugin; beyond it writes get 503
  trust_settings trust;
  limit_settings limits;
};

// The value of an environment variable, or nothing.
using env_lookup = std::function<std::optional<std::string>(const std::string& name)>;

// Reads this process's environment.
std::optional<std::string> process_env(const std::string& name);

// The model holds what could be understood, defaults elsewhere. Usable only if there is no error among the problems.
struct parsed_topology {
  topology model;
  std::vector<problem> problems;  // all of them, by place
};

// Parses and checks what can be checked without a manifest: form, types, units, keys, names that refer to others.
// `file` is the name that problems carry. Reads files that the text names by ${file:...}, nothing else.
parsed_topology parse_topology(const std::string& text, const std::string& file, const env_lookup& env);

// The same with the text of `file`; a file that can't be read is a problem.
parsed_topology load_topology(const std::string& file, const env_lookup& env = process_env);

// The text with `{plugin}` replaced: of store paths and schemas.
std::string for_plugin(std::string_view text, std::string_view plugin);

// The consumer group of a plugin: its own, or <topology>.<plugin>.
std::string group_of(const topology& model, const std::string& plugin);

struct library_lookup {
  std::string found;               // empty: none
  std::vector<std::string> tried;  // in order
};

// Where a plugin's library is. `order` means order.so on plugin_path; a value with '/' or ending in .so is a path.
library_lookup find_library(const topology& model, const std::string& plugin,
                            const std::function<bool(const std::string& path)>& exists);

}  // namespace gantry::topology
