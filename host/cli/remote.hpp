// Asking running hosts: which ones, what they answered, and what to tell the person when they did not.
// Thread: any.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cli/commands.hpp"
#include "cli/http_client.hpp"
#include "topology/topology.hpp"

namespace gantry::cli {

// A host to ask, at the address of its operations.
struct remote_host {
  std::string name;  // in the topology; empty: it was named by --address and is in none
  std::string address;
  std::string token;
  std::optional<client_tls> tls;
};

// Hosts that can answer the same question, the best first.
using remote_hosts = std::vector<remote_host>;

// The host of a topology at the address of its operations, as this machine reaches it.
remote_host host_of(const std::string& name, const topology::host_settings& settings, const std::string& token);

// The host of --address or --host; else all hosts of the topology, those that run `plugin` alone if one is given.
// Empty: it has said on standard error why.
remote_hosts find_hosts(const remote_arguments& arguments, const std::string& plugin = {});

// Who has to be asked to hear of every plugin: one entry for the host of --address or --host, or when there is only one
// host; else one for each plugin. Empty: it has said on standard error why.
struct hosts_of_plugin {
  std::string plugin;  // empty: of all that the host runs
  remote_hosts hosts;
};
std::vector<hosts_of_plugin> find_hosts_of_each(const remote_arguments& arguments);

// The body of a 200 of the first host that can be reached; it is asked first the next time. Nothing: it has said on
// standard error what went wrong; a problem's own words where the host gave some.
std::optional<std::string> fetch(remote_hosts& any_of, const std::string& method, const std::string& target);

}  // namespace gantry::cli
