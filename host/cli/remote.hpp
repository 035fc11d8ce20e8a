// Asking a running host: where it is, what it answered, and what to tell the person when it did not.
// Thread: any.
#pragma once

#include <optional>
#include <string>

#include "cli/commands.hpp"

namespace gantry::cli {

// A host to ask. Made from --address, or from the first host of the topology.
struct remote_host {
  std::string address;
  std::string token;
};

// Nothing: it has said on standard error why.
std::optional<remote_host> find_host(const remote_arguments& arguments);

// The body of a 200. Nothing: it has said on standard error what went wrong; a problem's own words where the host gave
// some.
std::optional<std::string> fetch(const remote_host& host, const std::string& method, const std::string& target);

}  // namespace gantry::cli
