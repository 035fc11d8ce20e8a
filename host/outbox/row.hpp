// The one outbox row that a transaction leaves: its events, encoded, by partition, in the order they were emitted.
// Thread: any.
//
// A row, little-endian, repeated for each partition:
//   u16 topic name, u32 partition, u32 count, u32 bytes   lengths and numbers
//   the topic's name, then that many bytes of records as bus/record.hpp encodes them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace gantry::outbox {

// Records for one partition of a topic. Views.
struct part {
  std::string_view topic;
  std::uint32_t partition = 0;
  std::uint32_t count = 0;
  std::string_view records;
};

void append_part(const part& p, std::string& row);

// The parts of a row; they point into it. corrupt: the lengths don't add up.
result<std::vector<part>> read_parts(std::string_view row);

}  // namespace gantry::outbox
