// What has to be done to a running host so that it is what a new topology says, and what users notice of it. Nothing is
// done here: the steps are values, made from what runs and what is to run.
// Thread: any.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "loader/manifest.hpp"
#include "topology/topology.hpp"

namespace gantry::plan {

enum class step_kind {
  open_topic,  // makes a topic, or changes how long it keeps its events
  swap,        // another file in a plugin's place
  configure,   // the same file with another configuration
  adjust,      // settings that the runtime takes over while the plugin works
  remove,      // a plugin leaves the host
  add,         // a plugin comes to the host
  note,        // nothing to do but to know it
  restart,     // of the host's process
  impossible,  // not by a plan: somebody has to do something first
};
std::string_view name_of(step_kind kind) noexcept;
// The kind that takes back one of this kind.
step_kind opposite(step_kind kind) noexcept;

struct step {
  step_kind kind = step_kind::note;
  std::string host;
  std::string subject;               // the plugin or topic; empty: the host
  std::string title;                 // "swap order 1.0.0 -> 1.1.0"
  std::vector<std::string> why;      // what differs
  std::vector<std::string> effects;  // what users notice, a sentence each
  std::vector<std::string> breaks;   // what others would notice: refused unless it is overruled
  std::vector<std::string> hosts;    // remove: that have the plugin in the new topology
  bool first = false;                // remove: before its plugin is added elsewhere, because two can't have its store
  bool last = false;                 // topic: it keeps less, and what goes then does not come back
  bool between_hosts = false;        // add, remove: a plugin moves, so that another host has its part in it
  std::string digest{};              // swap, add: SHA-256 of the file that was looked at; empty: none was
};

// Where a step comes among those of a plan: lower ones first. What may be done while the others work comes first, what
// leaves for another host's sake before what comes.
int order_of(const step& s) noexcept;

// What runs on a host.
struct running_plugin {
  std::string version;
  std::uint64_t generation = 1;
  std::string digest;          // SHA-256 of the file
  std::string library_digest;  // of the topology's `library:` when this file was chosen: the same, but for swapped ones
  loader::manifest promised;
  std::string error;       // not empty: it has failed, and why
  std::string settings{};  // lifecycle::settings_digest() of those it was begun with; empty: not known
};

struct found_library {
  std::string digest;
  loader::manifest promised;
};

struct host_view {
  std::string host;
  const topology::topology* now = nullptr;
  const topology::topology* next = nullptr;
  // What its process was started with, when that is not `now`: what only a restart takes over may still be missing.
  const topology::topology* started = nullptr;
  std::map<std::string, running_plugin> running;   // in its process, and in those of `apart` that answer
  std::map<std::string, found_library> libraries;  // of the new topology, as far as this host sees their files
  std::set<std::string> apart;                     // plugins of this host that run in processes of their own
  bool can_restart = true;                         // somebody starts its process anew when that ends for it
};

// In no order. Empty: nothing differs. Both topologies have been found valid.
std::vector<step> steps_of(const host_view& view);

}  // namespace gantry::plan
