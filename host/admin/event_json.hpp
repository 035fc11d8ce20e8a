// Stored events as JSON for people and programs: metadata under the names that CloudEvents gives its headers.
// Thread: any.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/json_members.hpp"
#include "bus/record.hpp"
#include "http/endpoint.hpp"

namespace gantry::admin {

// {"topic","partition","offset","key","plugin","headers":{"ce_id",...},"body":{...}}. A body that is not JSON is a
// string.
void append_event(std::string& out, std::string_view topic, std::uint32_t partition, const bus::record& r);

// The value itself where `text` is JSON in UTF-8, else a JSON string.
void append_json_or_text(std::string& out, std::string_view text);

// The quoted form of a time; before 1970 counts as 1970.
void append_time(std::string& out, std::int64_t wall_us);

// The plugin in "/<topology>/<plugin>/<store>"; the whole text when it is somebody else's source.
std::string_view plugin_of(std::string_view source) noexcept;

// 200 with this JSON.
http::reply json_reply(std::string body);

}  // namespace gantry::admin
