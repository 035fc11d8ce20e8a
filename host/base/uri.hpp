// Percent-encoding and queries (RFC 3986), read strictly: what is ambiguous is refused, never repaired.
// Thread: any.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.hpp"

namespace gantry {

using query_pairs = std::vector<std::pair<std::string, std::string>>;

// Decodes %XX once. invalid: a '%' without two hex digits, or a decoded byte of zero.
result<std::string> percent_decode(std::string_view text);

// Encodes all but unreserved characters, so that the result is one path segment or query value.
std::string percent_encode(std::string_view text);

// A query's names and values in order, decoded; '+' is a space; a part without '=' has an empty value; empty parts are
// skipped. invalid: as percent_decode.
result<query_pairs> parse_query(std::string_view query);

}  // namespace gantry
