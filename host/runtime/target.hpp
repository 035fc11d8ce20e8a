// Trace context (W3C Trace Context, level 1).
// Thread: any.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace gantry::runtime {

// A traceparent for work that begins here: the trace of `parent` when it is one, else a new trace; a new span.
std::string child_trace(std::string_view parent);

}  // namespace gantry::runtime
