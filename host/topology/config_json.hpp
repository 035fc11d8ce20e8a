// A plugin's configuration, from YAML to JSON.
// Used only while parsing. Thread: one.
#pragma once

#include <string>

#include "topology/section.hpp"

namespace gantry::topology {

// Converts a mapping (or nothing: {}). Plain scalars get the type that YAML's core schema gives them, also after a
// reference was replaced; quoted ones are text.
config_settings read_config(parse_state& state, const yaml_node* node, location fallback, const std::string& subject);

}  // namespace gantry::topology
