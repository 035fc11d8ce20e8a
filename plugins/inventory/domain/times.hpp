// Durations as the configuration writes them, and the time inside an order's id.
// Pure. Thread: any.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace inventory {

// "250ms", "30s", "15m", "2h", "7d" in microseconds; empty when it is none of these or does not fit.
std::optional<std::int64_t> parse_duration(std::string_view text);

// The creation time in microseconds that a UUIDv7 carries (to the millisecond); empty when `id` is no UUIDv7 in lower
// case.
std::optional<std::int64_t> time_of_uuid7(std::string_view id);

// The smallest text that a UUIDv7 made at `at_us` or later can have. Texts order as times do.
std::string uuid7_floor(std::int64_t at_us);

}  // namespace inventory
