// What `gantry plan` and `gantry apply` ask the running hosts.
// Thread: main.
#pragma once

#include <chrono>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "cli/commands.hpp"
#include "cli/remote.hpp"
#include "plan/plan.hpp"

namespace gantry::cli {

// A host that has answered.
struct planned_host {
  remote_host at;
  remote_host then;           // where the new topology has it; as `at` unless that differs
  remote_host before;         // where it was when the plan was made
  std::string applied;        // the text of the topology that it ran then
  std::string runs;           // SHA-256 of the one that it runs now
  std::uint64_t process = 0;  // that has done steps of the plan; 0: none was
  std::string system{};       // the name of the topology that it ran then; empty: it did not say
};

struct planning {
  std::string file;  // of the new topology, absolute
  std::string text;
  std::map<std::string, planned_host> hosts;  // by name
  plan::plan made;
};

// Reads the new topology and asks every host that runs, or is to run, what it means. Nothing: it has said on standard
// error why.
std::optional<planning> ask_hosts(const plan_arguments& with);

// Whether a process of this machine may run the host, by the black box that it holds until it ends; without a box
// nobody knows.
bool may_still_run(const std::filesystem::path& state, const std::string& host);

// One question with a body; the answer's body for 200. The error's text has the host's own words; conflict: it answered
// 409; invalid: it answered something else; unavailable, timeout, io: as ask().
result<std::string> ask_host(const remote_host& host, const std::string& method, const std::string& target,
                             const std::string& body = {},
                             std::chrono::milliseconds at_most = std::chrono::seconds(30));

}  // namespace gantry::cli
