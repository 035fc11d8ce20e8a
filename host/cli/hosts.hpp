// `gantry run` for a topology with several hosts on this machine: which ones they are, and one process for each.
// Thread: main.
#pragma once

#include <string>
#include <vector>

#include "cli/commands.hpp"
#include "topology/topology.hpp"

namespace gantry::cli {

// The name that hosts.*.machine is compared with.
std::string machine_name();

// The hosts that run on `machine`, those without a machine among them: in the order in which they are to start, the
// owner of a local bus first.
std::vector<std::string> local_hosts(const topology::topology& model, const std::string& machine);

// The command line of one host's process.
std::vector<std::string> command_of(const run_arguments& arguments, const std::string& program, const std::string& host,
                                    bool terminal);

// Runs each in a process of its own until SIGTERM or SIGINT. The log is open. 0: all have drained.
int run_all(const run_arguments& arguments, const topology::topology& model, const std::vector<std::string>& hosts);

}  // namespace gantry::cli
