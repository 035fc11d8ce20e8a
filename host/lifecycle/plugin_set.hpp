// The plugins of one host, from file to retirement: loads, checks against the manifest, opens stores, starts, drains.
// A plugin that fails is named, reported and left out; the others run.
// Owned by app. Thread: main, but for what says otherwise.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "base/result.hpp"
#include "bus/bus.hpp"
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
using store_factory = std::function<result<std::unique_ptr<store::store>>(const std::string& plugin)>;

// What the plugins of a host share. Outlives the set.
struct host_parts {
  const topology::topology* model = nullptr;
  std::string host_name;
  bus::bus* events = nullptr;
  runtime::worker_pool* lanes = nullptr;
  runtime::request_pool* jobs = nullptr;
  runtime::dispatcher* router = nullptr;
  runtime::work_watch* watch = nullptr;
  observability::registry* metrics = nullptr;
  observability::health* checks = nullptr;
  const clock* time = nullptr;
  store_factory open_store;
  std::chrono::milliseconds start_timeout{30'000};  // of create, setup and start together
};

// A topic of the topology, as the bus wants it.
bus::topic_spec spec_of(const topology::topology& model, const std::string& topic);

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
};

struct swap_request {
  std::string plugin;
  std::filesystem::path file;               // empty: the topology's library, as it is now
  bool force = false;                       // overrules what others would notice
  std::chrono::microseconds probation{-1};  // negative: the topology's
};

class plugin_set {
 public:
  explicit plugin_set(host_parts parts);
  ~plugin_set();
  plugin_set(const plugin_set&) = delete;
  plugin_set& operator=(const plugin_set&) = delete;

  // Opens the topology's topics, then loads and starts every plugin of this host. Fails only for what concerns all; a
  // plugin's own failure is in its row.
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
  // that was there, when `given_up` becomes true. One swap of a plugin at a time: `refused` otherwise. [a thread for
  // swaps]
  swap_receipt swap(const swap_request& what, const std::function<void(const swap_step&)>& tell,
                    const std::atomic<bool>& given_up);

  std::vector<plugin_row> rows() const;  // [any]
  // By plugin: events on its topics that it has not handled; sets gantry_consumer_lag. Asks the bus, which may wait for
  // its servers. [any]
  std::map<std::string, std::uint64_t> measure_lags() const;
  std::shared_ptr<runtime::instance> find(const std::string& plugin) const;    // null: not here, or failed [any]
  const runtime::topic_directory& topics() const noexcept { return topics_; }  // [any], after start

 private:
  struct entry {
    std::string id;
    std::unique_ptr<loader::module> file;
    std::shared_ptr<runtime::instance> running;
    std::unique_ptr<runtime::observers> watching;
    observability::gauge* lag = nullptr;  // running's; null: it has none
    std::string error;
    bool abandoned = false;  // hangs in plugin code: kept, never destroyed
    bool swapped = false;    // what a swap left, not the topology's library
    bool swapping = false;   // one is under way
  };
  class swap_run;

  result<void> open_topics();
  result<void> bring_up(entry& e);
  result<void> declare(entry& e);
  result<void> introduce(entry& e);
  result<bool> alone_in(store::store& database, std::string_view version) const;
  result<void> open_store(entry& e);
  result<void> bounded(entry& e, const char* step, const std::function<result<void>()>& what);
  void watch(entry& e);
  void show_figures(entry& e);
  void publish_routes();
  static void keep_for_ever(std::unique_ptr<entry> what);

  const host_parts parts_;
  runtime::topic_directory topics_;
  mutable std::mutex mutex_;
  std::vector<std::unique_ptr<entry>> entries_;           // guarded by mutex_
  std::map<std::string, std::uint64_t> last_generation_;  // that a swap has used; guarded by mutex_
  bool stopped_ = false;
};

}  // namespace gantry::lifecycle
