// Opens the store that the topology names for a plugin.
// Used by host_process alone. Thread: any.
#pragma once

#include <memory>
#include <string>

#include "base/result.hpp"
#include "store/store.hpp"
#include "topology/topology.hpp"

namespace gantry::app {

// Errors are the driver's.
result<std::unique_ptr<store::store>> open_store(const topology::topology& model, const std::string& plugin);

}  // namespace gantry::app
