// What runs on the other hosts of a topology, and how this host reaches it.
// Values. Thread: any.
#pragma once

#include <cstddef>

#include "app/host_process.hpp"
#include "call/remote/remote_calls.hpp"
#include "topology/topology.hpp"

namespace gantry::app {

// Every plugin's hosts but `here`; plugins that run nowhere else are left out. Processes of the same family are reached
// at their inner addresses.
call::placement placed_elsewhere(const topology::topology& model, const std::string& here,
                                 const host_family& family = {});

// `callers`: threads of this host that may wait for a call at one time. Each finds a connection: a call that waits for
// one while calls behind it hold them all would not end.
call::remote_options remote_options_of(const topology::topology& model, const std::string& here, std::size_t callers);

}  // namespace gantry::app
