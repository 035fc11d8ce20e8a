// `gantry run` for a topology with several hosts on this machine: which ones they are, and one process for each.
// Thread: main.
#pragma once

#include <string>
#include <vector>

#include "cli/commands.hpp"
#include "cli/deaths.hpp"
#include "supervisor/supervisor.hpp"
#include "topology/topology.hpp"

namespace gantry::cli {

// The name that hosts.*.machine is compared with.
std::string machine_name();

// The hosts that run on `machine`, those without a machine among them: in the order in which they are to start, the
// owner of a local bus first.
std::vector<std::string> local_hosts(const topology::topology& model, const std::string& machine);

// Runs the processes of these hosts until SIGTERM or SIGINT, and starts again what dies. 0: all have drained.
int run_all(const run_arguments& arguments, std::vector<supervisor::member> members, deaths& what_follows);

}  // namespace gantry::cli
