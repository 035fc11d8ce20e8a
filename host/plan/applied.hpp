// Which topology a host runs: <state>/topology/<host>.yaml, and beside it of which topology file it was taken. What
// `gantry apply` has brought counts at the next start as long as that file is what it was then; once it differs, the
// file wins. Thread: any; one writer a host.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/result.hpp"

namespace gantry::plan {

struct applied_topology {
  std::string file;         // the topology file that the host was started with
  std::string file_digest;  // SHA-256 of it then
  std::string text;         // what the host runs
};

// Durable when it returns. io.
result<void> write_applied(const std::filesystem::path& state, const std::string& host, const applied_topology& what);

// Nothing: no host of this name has written one, or it is not complete.
std::optional<applied_topology> read_applied(const std::filesystem::path& state, const std::string& host);

// Every host that has written one.
std::vector<std::string> applied_hosts(const std::filesystem::path& state);

// SHA-256 of a text.
std::string digest_of_text(std::string_view text);

}  // namespace gantry::plan
