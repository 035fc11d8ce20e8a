// What the process of an isolated plugin says of itself to the host that passes requests on to it.
// Values. Thread: any.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "bus/bus.hpp"
#include "lifecycle/plugin_set.hpp"
#include "runtime/apart.hpp"

namespace gantry::app {

struct process_state {
  std::int64_t pid = 0;
  std::uint64_t generation = 0;  // 0: the plugin could not be loaded
  std::string ailing;            // why it is not ready; empty: it is
  std::vector<runtime::apart_route> routes;

  friend bool operator==(const process_state&, const process_state&) = default;
};

// Of this process, which runs one plugin.
process_state state_of_process(const lifecycle::plugin_set& plugins, const bus::bus& events);

// Lines of a word and its content.
std::string to_text(const process_state& of);
// invalid: what came is not whole.
result<process_state> read_process_state(std::string_view text);

}  // namespace gantry::app
