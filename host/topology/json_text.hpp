// Writing JSON by hand: the text of a string, and a pointer into a document.
// Thread: any.
#pragma once

#include <string>
#include <string_view>

namespace gantry::topology {

// The string in quotes, escaped as RFC 8259 asks. Bytes that are not UTF-8 pass unchanged.
std::string json_quoted(std::string_view text);

// The pointer of member or element `step` below `pointer` (RFC 6901).
std::string json_pointer(std::string_view pointer, std::string_view step);

}  // namespace gantry::topology
