// Paths of request targets (RFC 3986), read strictly: what is ambiguous is refused, never repaired, so
// that the router and whatever stands in front of it can't see two different paths. Thread: any.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace gantry::http {

// A path that has one reading: decoded, and split at the '/' that were sent as such.
struct path {
  std::string text;                   // "/orders/a b"
  std::vector<std::string> segments;  // {"orders", "a b"}; a trailing '/' adds an empty last segment
};

// invalid: not beginning with '/', dot segments ("." or "..", also percent-encoded), empty segments ("//"), an encoded
// '/' or '\', a raw '\', control characters, bad percent-encoding, or bytes that are not UTF-8.
result<path> parse_path(std::string_view raw);

}  // namespace gantry::http
