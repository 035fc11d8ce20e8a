// Finds the files of a topology's plugins and reads their manifests; runs no plugin code.
// Thread: any.
#pragma once

#include <vector>

#include "topology/topology.hpp"
#include "topology/validate.hpp"

namespace gantry::loader {

struct discovery {
  topology::manifest_map manifests;         // of the plugins whose file could be read
  std::vector<topology::problem> problems;  // files that are no plugin, for another ABI, or not signed as trust asks
};

// A missing library is not reported here: validate() does.
discovery discover(const topology::topology& model);

// All that `gantry validate` finds: the parser's problems, discovery, and the checks; by place in the file.
struct validation {
  topology::topology model;
  topology::manifest_map manifests;
  std::vector<topology::problem> problems;
};
validation validate(topology::parsed_topology parsed);
validation validate_file(const std::string& file, const topology::env_lookup& env = topology::process_env);

}  // namespace gantry::loader
