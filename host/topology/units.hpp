// Durations and sizes as the topology file writes them: a whole number and a unit.
// Thread: any.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace gantry::topology {

// "5ms", "7d": units us, ms, s, m, h, d; "0" alone is allowed. The failure's text says what to write instead.
result<std::chrono::microseconds> parse_duration(std::string_view text);

// Bytes of "64MiB": units B, KB, MB, GB, TB (powers of 1000) and KiB, MiB, GiB, TiB (of 1024); "0" alone is allowed.
result<std::uint64_t> parse_size(std::string_view text);

// In the largest unit that gives a whole number: "15m", "90s".
std::string duration_text(std::chrono::microseconds value);

}  // namespace gantry::topology
