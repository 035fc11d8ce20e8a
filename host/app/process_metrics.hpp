// What the system says of this process, as series of /metrics.
// Used by host_process alone. Thread: any.
#pragma once

#include <string>

#include "observability/metrics.hpp"

namespace gantry::app {

// process_cpu_seconds_total and process_resident_memory_bytes. `plugin`: the only one of this process, for its label;
// empty: it is a host's own.
void watch_process(observability::registry& metrics, observability::owner_id owner, const std::string& plugin);

}  // namespace gantry::app
