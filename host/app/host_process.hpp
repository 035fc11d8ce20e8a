// One host, composed: bus, stores, worker pools, plugins, endpoint. The only place that names concrete drivers.
// Owned by main. Thread: main.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "lifecycle/plugin_set.hpp"
#include "runtime/dispatcher.hpp"
#include "topology/topology.hpp"

namespace gantry::app {

struct host_options {
  std::string host;                 // of the topology; empty: its only one
  bool serve_http = true;           // false: requests come through submit() alone
  std::uint16_t port_override = 0;  // instead of the topology's, when `override_port`
  bool override_port = false;
  std::size_t lane_workers = 0;     // 0: by the machine
  std::size_t request_workers = 0;  // 0: by the machine
  // Asked while start() waits for the bus: true gives up. Thread: main.
  std::function<bool()> asked_to_end{};
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

  // Takes no more work, ends what is in progress, stops. False: something did not end within the time and was named in
  // the log; plugin code may still be running then, and only the end of the process gets rid of it.
  virtual bool drain_and_stop(std::chrono::milliseconds at_most) = 0;
};

}  // namespace gantry::app
