// `gantry store copy`: what plugins have in SQLite goes to PostgreSQL, positions, outbox and jobs included, while no
// host runs. Thread: main.
#pragma once

#include <string>
#include <vector>

#include "base/result.hpp"
#include "store/copy.hpp"
#include "topology/topology.hpp"

namespace gantry::app {

struct copied_plugin {
  std::string plugin;
  std::string from;  // the stores, for people
  std::string to;
  std::vector<store::copied_table> tables;
  std::vector<std::string> left_out;  // tables that the plugin calls derived
};

// Copies `plugins`, or without any all whose store the two topologies place differently. First everything is looked at:
// that nobody has the old stores and bus open, that all events of an old bus have been handled, that the new stores are
// empty and can hold what there is. Then each plugin is copied in one transaction. The old stores are only read.
//
// Plugin code runs: create and setup, to learn the migrations. Errors name the plugin; conflict: a host runs.
// A copy that broke off can be started again.
result<std::vector<copied_plugin>> copy_stores(const topology::topology& from, const topology::topology& to,
                                               const std::vector<std::string>& plugins);

}  // namespace gantry::app
