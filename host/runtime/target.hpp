// The parts of a request target (RFC 3986), and trace context (W3C Trace Context, level 1).
// Thread: any.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace gantry::runtime {

// Decodes %XX into `out`; '+' stays. False: a '%' without two hexadecimal digits, or an encoded zero byte.
bool percent_decode(std::string_view text, std::string& out, bool plus_is_space);

// Names and values of a query, decoded, in order. False as above.
bool parse_query(std::string_view query, std::vector<std::pair<std::string, std::string>>& out);

// A traceparent for work that begins here: the trace of `parent` when it is one, else a new trace; a new span.
std::string child_trace(std::string_view parent);

}  // namespace gantry::runtime
