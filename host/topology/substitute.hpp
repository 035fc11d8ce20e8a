// ${env:NAME}, ${env:NAME:-default} and ${file:/path} inside a value.
// Thread: any.
#pragma once

#include <string>
#include <string_view>

#include "base/result.hpp"
#include "topology/topology.hpp"

namespace gantry::topology {

struct substituted {
  std::string text;
  std::string reference;  // the value as written, defaults left out; empty when it refers to nothing
};

// What goes wrong with a reference: found and expected, as problems word it.
struct bad_reference {
  std::string found;
  std::string expected;
  std::string suggestion;
};

// Replaces every reference; `$${` stands for a plain `${`. A default applies when the variable is unset or empty. Of a
// file the last line end is left out; it may have 1 MiB. On failure `why` is set and the result is empty.
bool substitute(std::string_view value, const env_lookup& env, substituted& out, bad_reference& why);

}  // namespace gantry::topology
