// One host, composed: bus, stores, worker pools, plugins, endpoint. The only place that names concrete drivers.
// Owned by main. Thread: main.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "admin/changes.hpp"
#include "base/result.hpp"
#include "blackbox/box.hpp"
#include "lifecycle/plugin_set.hpp"
#include "runtime/dispatcher.hpp"
#include "topology/isolation.hpp"
#include "topology/topology.hpp"

namespace gantry::app {

// The processes that a host consists of because plugins of it are isolated.
struct host_family {
  topology::inner_addresses inner;  // of each process, by its name; empty: the host is one process
  std::string key;                  // what they show each other
};

struct host_options {
  // Of the topology; empty: its only one. With a family: the process.
  std::string host;
  host_family family{};
  bool serve_http = true;           // false: requests come through submit() alone
  std::uint16_t port_override = 0;  // instead of the topology's, when `override_port`
  bool override_port = false;
  std::size_t lane_workers = 0;     // 0: by the machine
  std::size_t request_workers = 0;  // 0: by the machine
  // Where it notes what its threads do; outlives the host. Null: in memory that nobody reads.
  blackbox::box* box = nullptr;
  // The topology file and what it said: what can be changed while the host runs is changed by another text of it.
  // Empty: nothing can.
  std::string topology_file{};
  std::string topology_text{};
  // Drains and ends this process, for whoever watches it to start it anew; empty: nobody does. Thread: any.
  std::function<void()> restart{};
  std::vector<runtime::deadly_work> deadly{};  // in which its process has died before
  // Asked while start() waits for the bus: true gives up. Thread: main.
  std::function<bool()> asked_to_end{};
  // Asks this process to drain and end within this time, or its own, whichever is less: its host's process asks an
  // isolated plugin's so. Returns at once. Thread: any.
  std::function<void(std::chrono::milliseconds)> end{};
};

class host_process {
 public:
  // Opens and starts everything. Errors are of what concerns all (bus, address); a plugin's own failure is in
  // plugins().
  static result<std::unique_ptr<host_process>> start(const topology::topology& model, const host_options& options);

  virtual ~host_process() = default;

  virtual std::string address() const = 0;  // "127.0.0.1:8080", or empty
  virtual lifecycle::plugin_set& plugins() = 0;
  virtual runtime::dispatcher& router() = 0;
  virtual bus::bus& events() = 0;
  virtual admin::changes& changes() = 0;

  // Takes no more work, ends what is in progress, stops. False: something did not end within the time and was named in
  // the log; plugin code may still be running then, and only the end of the process gets rid of it.
  virtual bool drain_and_stop(std::chrono::milliseconds at_most) = 0;
};

}  // namespace gantry::app
