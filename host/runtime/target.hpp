// Trace context (W3C Trace Context, level 1).
// Thread: any.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace gantry::runtime {

// A traceparent for work that begins here: the trace of `parent` when it is one, else a new trace; a new span.
std::string child_trace(std::string_view parent);

// What a request's gantry-deadline-ms asks for: it can only shorten `longest_us`. Empty or no number: that.
std::int64_t timeout_of(std::string_view header, std::int64_t longest_us);

}  // namespace gantry::runtime
