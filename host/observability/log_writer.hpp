// Where formatted lines go: spdlog's stderr sink.
// Owned by log. Thread: one at a time.
#pragma once

#include <functional>
#include <string_view>

namespace gantry::observability {

// True when stderr is a terminal that shows colours.
bool stderr_is_terminal();

// Writes whole lines, newline included, to stderr.
std::function<void(std::string_view)> stderr_writer();

}  // namespace gantry::observability
