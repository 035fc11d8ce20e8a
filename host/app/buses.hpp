// Opens the bus that the topology names: the journal, another host's journal through its socket, or Kafka.
// Used by host_process alone. Thread: main.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "bus/bus.hpp"
#include "bus/socket/bus_server.hpp"
#include "observability/metrics.hpp"
#include "topology/topology.hpp"

namespace gantry::app {

struct opened_bus {
  std::unique_ptr<bus::bus> events;
  std::unique_ptr<bus::bus_server> shared;  // with the other hosts of this machine; null: there are none. Goes first
};

// Told why the bus is not there yet, about once a second. False: nobody wants it any more.
using bus_waiting = std::function<bool(std::string_view reason)>;

// Waits for the owner of a local bus without bound. unavailable: it was told to give up. Brokers need not be there yet.
//
// `metrics` shows what Kafka's clients say of themselves; it outlives the bus.
result<opened_bus> open_bus(const topology::topology& model, const std::string& host, observability::registry& metrics,
                            const bus_waiting& waiting);

}  // namespace gantry::app
