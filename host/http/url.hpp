// Paths and queries of a request target (RFC 3986), read strictly: what is ambiguous is refused, never repaired, so
// that the router and whatever stands in front of it can't see two different paths. Thread: any.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.hpp"

namespace gantry::http {

// Decodes %XX once. invalid: a '%' without two hex digits, or a decoded byte of zero.
result<std::string> percent_decode(std::string_view text);

// Encodes all but unreserved characters, so that the result is one path segment or query value.
std::string percent_encode(std::string_view text);

// A query's names and values in order, decoded; '+' is a space; a part without '=' has an empty value; empty parts are
// skipped. invalid: as percent_decode.
result<std::vector<std::pair<std::string, std::string>>> parse_query(std::string_view query);

// A path that has one reading: decoded, and split at the '/' that were sent as such.
struct path {
  std::string text;                   // "/orders/a b"
  std::vector<std::string> segments;  // {"orders", "a b"}; a trailing '/' adds an empty last segment
};

// invalid: not beginning with '/', dot segments ("." or "..", also percent-encoded), empty segments ("//"), an encoded
// '/' or '\', a raw '\', control characters, bad percent-encoding, or bytes that are not UTF-8.
result<path> parse_path(std::string_view raw);

}  // namespace gantry::http
