// A YAML document as a tree that keeps places, tags and repeated keys, which yaml-cpp's own nodes lose.
// Thread: any.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.hpp"
#include "topology/problem.hpp"

namespace gantry::topology {

struct yaml_node {
  enum class kind { null, scalar, list, map };

  kind what = kind::null;
  location at;
  bool quoted = false;                               // scalar: text, whatever it looks like
  std::string text;                                  // scalar
  std::vector<yaml_node> items;                      // list
  std::vector<std::pair<yaml_node, yaml_node>> map;  // in the order of the file, repeated keys included
};

// How a plain scalar of YAML's core schema reads.
enum class scalar_type { null, boolean, integer, real, text };
scalar_type type_of(std::string_view plain) noexcept;

// Reads the first document of `text`; an empty text gives a null node. invalid: not YAML, more than one document,
// nested too deeply, or aliases that unfold to more than 100,000 nodes; `where` then says where.
result<yaml_node> read_document(const std::string& text, location& where);

}  // namespace gantry::topology
