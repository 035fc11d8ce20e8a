// The topology as a picture: hosts with their plugins, topics with who emits and consumes, calls. Holds no secret.
// Thread: any.
#pragma once

#include <string>

#include "topology/validate.hpp"

namespace gantry::topology {

// A Mermaid flowchart. A plugin with several hosts stands in each of them; plugins without a manifest have no arrows.
std::string to_mermaid(const topology& model, const manifest_map& manifests);

// The same in Graphviz' language.
std::string to_dot(const topology& model, const manifest_map& manifests);

}  // namespace gantry::topology
