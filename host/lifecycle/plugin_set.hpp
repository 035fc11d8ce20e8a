// The plugins of one host, from file to retirement: loads, checks against the manifest, opens stores, starts, drains.
// A plugin that fails is named, reported and left out; the others run.
// Owned by app. Thread: main, but for what says otherwise.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.hpp"
#include "base/result.hpp"
#include "bus/bus.hpp"
#include "lifecycle/absent_plugin.hpp"
#include "lifecycle/receipt.hpp"
#include "loader/module.hpp"
#include "observability/health.hpp"
#include "observability/metrics.hpp"
#include "runtime/dispatcher.hpp"
#include "runtime/instance.hpp"
#include "runtime/lane.hpp"
#include "runtime/observers.hpp"
#include "runtime/request_pool.hpp"
#include "runtime/watch.hpp"
#include "runtime/worker_pool.hpp"
#include "store/store.hpp"
#include "topology/topology.hpp"

namespace gantry::lifecycle {

// Opens the store of a plugin, by the driver that the topology names.
using store_factory =
    std::function<result<std::unique_ptr<store::store>>(const topology::topology& model, const std::string& plugin)>;

// A topology that plugins run by, for as long as one of them does.
using shared_topology = std::shared_ptr<const topology::topology>;

// What the plugins of a host share. Outlives the set.
struct host_parts {
  const topology::topology* model = nullptr;  // that the host starts with
  std::string host_name;
  std::string home;  // the host of the topology file that this process belongs to; what is stored carries this name
  bus::bus* events = nullptr;
  runtime::worker_pool* lanes = nullptr;
  runtime::request_pool* jobs = nullptr;
  runtime::dispatcher* router = nullptr;
  runtime::work_watch* watch = nullptr;
  const std::vector<runtime::deadly_work>* deadly = nullptr;  // null: none
  observability::registry* metrics = nullptr;
  observability::health* checks = nullptr;
  const clock* time = nullptr;
  store_factory open_store;
  // Adds the routes of the host's plugins that run in processes of their own. Empty: there are none. [any]
  std::function<void(runtime::route_table&)> add_apart;
  // Told of each plugin that has been replaced by another version that has proven itself. Empty: nobody wants to know.
  std::function<void(const std::string&)> swapped;
  // Told why the bus can't be reached yet, again and again; nothing: now it can. False: nobody wants the plugins any more. Empty: a bus that
  // is away ends the start.
  std::function<bool(std::string_view reason)> bus_is_away;
  std::chrono::milliseconds start_timeout{30'000};  // of create, setup and start together
  // Between two looks for the store of a plugin that could not be reached: grows from the first to the longest.
  std::chrono::milliseconds first_store_pause{1'000};
  std::chrono::milliseconds longest_store_pause{30'000};
};

// A topic of the topology, as the bus wants it.
bus::topic_spec spec_of(const topology::topology& model, const std::string& topic);

// What becomes of an event that can't be handled, in the runtime's words.
runtime::poison_policy poison_of(topology::poison_policy policy);

struct plugin_row {
  std::string id;
  std::string version;
  std::string state;
  std::string error;  // empty unless failed
  std::string store;
  std::size_t routes = 0;
  std::vector<std::string> consumes;
  std::vector<std::string> emits;
  runtime::lane_counts counts;
  std::uint64_t generation = 1;
  bool swapping = false;  // it, or another change, is under way
};

struct swap_request {
  std::string plugin;
  std::filesystem::path file;               // empty: the topology's library, as it is now
  bool force = false;                       // overrules what others would notice
  std::chrono::microseconds probation{-1};  // negative: the topology's
  shared_topology by{};                     // with the settings and configuration of this one; null: those it has
  bool reconfigure = false;                 // the file that runs now, for the sake of `by`
  bool back = false;     // takes back a swap that went through: migrations that only add may be ahead of the file
  std::string digest{};  // SHA-256 that the file has to have; empty: any
  std::string run{};     // of the change that this belongs to, by which it is taken back; empty: it never is
};

// The file that a plugin runs from.
struct plugin_file {
  std::string id;
  std::string version;
  std::uint64_t generation = 1;
  std::string digest;
  std::filesystem::path copy;
  std::string settings;  // settings_digest() of those that it was made with
  loader::manifest promised;
  std::string error;  // not empty: it has failed, and the rest may be empty
};

class plugin_set {
 public:
  explicit plugin_set(host_parts parts);
  ~plugin_set();
  plugin_set(const plugin_set&) = delete;
  plugin_set& operator=(const plugin_set&) = delete;

  // Opens the topology's topics, then loads and starts every plugin of this host. Fails only for what concerns all; a
  // plugin's own failure is in its row. One whose store can't be reached is started when it can be.
  result<void> start();

  // No new requests or events; returns when what is in progress has ended or the time is over. False: something did not
  // end.
  bool drain(std::chrono::milliseconds at_most);
  // Stops and unloads everything. False: a plugin's stop() does not come back; its thread and its code stay.
  bool stop();

  // Lets time pass: timers, due jobs, pauses. Called every few milliseconds by a thread of its own. [any]
  void tick();

  // Puts another file's code in the plugin's place, while the plugin goes on working; the receipt says how that went,
  // and is kept in the state directory. Takes as long as draining and probation do. Ends early, with the generation
  // that was there, when `given_up` becomes true. One swap at a time: `refused` otherwise. [a thread for
  // swaps]
  swap_receipt swap(const swap_request& what, const std::function<void(const swap_step&)>& tell,
                    const std::atomic<bool>& given_up);

  // Makes the topics that the host does not have yet, and changes how long it keeps the events of others. [a thread for
  // changes]
  result<void> open_topics(const topology::topology& model);
  // Brings a plugin to the host while the others work: loads, checks, migrates and starts it, adds its routes, joins
  // its group. One that has failed is tried again, and stays what it was when that fails. conflict: it runs, or another
  // plugin has a route of it. Nothing of it is left when that fails. `file`: in the place of the topology's library. A
  // restart comes up with what was added. [a thread for changes, one change at a time]
  result<void> add(const std::string& plugin, const shared_topology& by, const std::filesystem::path& file = {});
  // Takes a plugin from the host: its requests end, what it has begun ends, then it stops and is unloaded; its data
  // stays. As long as the topology that counts has it here its routes answer 503, for it may be about to run elsewhere.
  // timeout: something did not end, or `given_up` became true; it works on as before. [as add]
  result<void> remove(const std::string& plugin, std::chrono::milliseconds at_most, const std::atomic<bool>& given_up);
  // Takes over the settings that need no new instance. not_found. [as add]
  result<void> adjust(const std::string& plugin, const shared_topology& by);
  // What is begun from here on goes by this topology; plugins that run keep what they were started with. [any]
  void adopt(shared_topology by);
  shared_topology model() const;           // [any]
  std::vector<plugin_file> files() const;  // [any]

  // Makes the route table anew, for what has changed in the routes of plugins that run apart. [any]
  void publish_routes();

  std::vector<plugin_row> rows() const;  // [any]
  // By plugin: events on its topics that it has not handled; sets gantry_consumer_lag. Asks the bus, which may wait for
  // its servers. [any]
  std::map<std::string, std::uint64_t> measure_lags() const;
  std::shared_ptr<runtime::instance> find(const std::string& plugin) const;  // null: not here, or failed [any]
  const runtime::topic_directory& topics() const;  // as it is now, good for the life of this set [any], after start

 private:
  struct entry {
    std::string id;
    shared_topology model;  // that it runs by
    shared_topology begun;  // that its instance was made by; its configuration is that one's
    std::unique_ptr<loader::module> file;
    std::shared_ptr<runtime::instance> running;
    std::unique_ptr<runtime::observers> watching;
    observability::owner_id figures = 0;  // of the series that ask its lane
    observability::gauge* lag = nullptr;  // running's; null: it has none
    std::string error;
    bool waits = false;      // it has failed because its store can't be reached now
    bool abandoned = false;  // hangs in plugin code: kept, never destroyed
    bool swapped = false;    // what a swap left, not the topology's library
    bool swapping = false;   // it, or another change, is under way
    bool leaving = false;    // its routes are gone
  };
  class swap_run;

  result<void> bring_up(entry& e);
  result<void> reach_topics();
  result<void> declare(entry& e, const std::filesystem::path& file = {});
  result<void> note_file(const entry& e) const;
  result<void> bring(const std::string& plugin, const shared_topology& by, const std::filesystem::path& file,
                     bool noted);
  void begin_starting_again();
  void end_starting_again();
  void start_again();
  std::size_t try_waiting(std::size_t& left);
  bool still_waits(const std::string& plugin);
  result<void> introduce(entry& e);
  result<bool> alone_in(store::store& database, std::string_view version) const;
  result<void> open_store(entry& e);
  result<void> bounded(entry& e, const char* step, const std::function<result<void>()>& what);
  void watch(entry& e);
  void show_figures(entry& e);
  bool end(std::unique_ptr<entry>& which);
  void unload(std::unique_ptr<entry>& which, std::chrono::microseconds at_most);
  entry* find_entry(const std::string& plugin) const;
  std::unique_ptr<entry> exchange_entry(const entry* which, std::unique_ptr<entry> by);
  static bool is_unused(const entry& which);
  static bool is_idle(const entry& which);
  bool is_placed_here(const std::string& plugin) const;
  void keep_routes(const entry& of);
  error comes_back(entry& which, bool given_up);
  error not_added(std::unique_ptr<entry> e, const entry* stands, const error& why);
  result<void> add_routes(runtime::route_table& table) const;
  result<void> routes_fit(const entry& newcomer);
  static void keep_for_ever(std::unique_ptr<entry> what);

  const host_parts parts_;
  std::mutex swaps_;       // held by the one under way
  std::mutex publishing_;  // one table after the other
  std::mutex changing_;    // held by who adds or removes a plugin
  std::thread starter_;    // while plugins wait for their stores
  std::mutex starting_mutex_;
  std::condition_variable starting_wake_;
  bool starting_ends_ = false;  // guarded by starting_mutex_
  mutable std::mutex mutex_;
  shared_topology model_;  // guarded by mutex_
  std::deque<runtime::topic_directory>
      topics_;  // each whole; the last one counts; guarded by mutex_, but for the content
  std::vector<std::unique_ptr<entry>> entries_;                   // guarded by mutex_
  std::map<std::string, std::shared_ptr<absent_plugin>> absent_;  // whose routes answer for it; guarded by mutex_
  std::map<std::string, std::uint64_t> last_generation_;          // that was used last; guarded by mutex_
  bool stopped_ = false;
};

}  // namespace gantry::lifecycle
