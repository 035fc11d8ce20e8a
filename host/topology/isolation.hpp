// Plugins that run in a process of their own: which ones they are, and the topology as the processes of one host see
// it. A host `main` whose plugin `payment` is isolated consists of the processes `main` and `main~payment`; for every
// other host it stays one host, `main`.
// Values. Thread: any.
#pragma once

#include <map>
#include <set>
#include <string>
#include <string_view>

#include "topology/topology.hpp"

namespace gantry::topology {

// A process of a host. The sign between the two may not stand in names of hosts and plugins.
struct process_name {
  std::string host;    // of the topology file; what is stored carries this name, so that it outlives a move
  std::string plugin;  // the isolated one; empty: the host's own process
};
std::string process_of(std::string_view host, std::string_view plugin);
process_name split_process(std::string_view name);

// The plugins of a host that run apart from it: by `isolation: process`, or because they are among `quarantined`.
std::set<std::string> isolated_on(const topology& model, const std::string& host,
                                  const std::set<std::string>& quarantined);

// Where the processes of one host reach each other, host:port, by their names. Which plugins are isolated follows
// from it.
using inner_addresses = std::map<std::string, std::string>;

// The topology with each isolated plugin on a host of its own, named as its process, which listens at its inner
// address and has no operations to protect: all that several hosts of one machine have is then there for it. Its
// certificate is its host's, for calls to other hosts. The host's own process owns a local bus that nobody else owns.
// An `inner` of one process changes nothing.
topology expand_isolation(topology model, const std::string& host, const inner_addresses& inner);

}  // namespace gantry::topology
