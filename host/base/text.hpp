// What the rooms write alike: JSON strings, times, problem documents.
// Thread: any.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace gantry {

// Appends `text` as a JSON string (RFC 8259), quotes included. Control characters are escaped; bytes that are not UTF-8
// become U+FFFD.
void append_json_string(std::string& out, std::string_view text);

// Appends RFC 3339 in UTC with microseconds, 27 characters: 2026-01-31T23:59:59.000001Z. From 1970 to 9999.
void append_rfc3339(std::string& out, std::int64_t wall_us);

// Appends a problem document (RFC 9457): {"type":"/problems/<slug>","title","status","detail"}. The type is about:blank for
// an empty slug; an empty detail is left out.
void append_problem(std::string& out, int status, std::string_view slug, std::string_view title,
                    std::string_view detail);

}  // namespace gantry
