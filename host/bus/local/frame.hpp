// The journal's frames as bytes, and the state that some of them carry. README.md describes the format.
// Thread: any.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "bus/bus.hpp"

namespace gantry::bus::local {

enum class frame_kind : std::uint16_t {
  records = 1,  // source and records of one batch
  state = 2,    // a whole journal_state
  mark = 3,     // nothing but the header: tells how far the journal was synced
};

constexpr std::uint32_t frame_magic = 0x314A'4E47;  // "GNJ1"

struct frame_header {
  std::uint32_t crc = 0;  // of the rest of this header
  std::uint32_t magic = frame_magic;
  std::uint32_t length = 0;  // header and payload, without padding
  frame_kind kind = frame_kind::records;
  std::uint16_t source = 0;  // length of the source, which stands before the records
  std::uint32_t topic = 0;
  std::uint32_t partition = 0;
  std::uint32_t count = 0;
  std::uint32_t payload_crc = 0;  // of all that follows the header
  std::uint64_t base_offset = 0;
  std::uint64_t ordinal = 0;     // records that the partition had before
  std::int64_t appended_us = 0;  // since the epoch
  std::int64_t newest_us = 0;    // greatest occurrence time of its records
  std::uint64_t position = 0;    // of this frame in the journal
  std::uint64_t synced = 0;      // position up to which the journal was synced when this was written
};
static_assert(sizeof(frame_header) == 80);

// Frames begin at multiples of 8.
constexpr std::uint64_t padded(std::uint64_t length) noexcept { return (length + 7) & ~std::uint64_t{7}; }

// Writes the header, with its crc, over the first bytes at `to`.
void put_header(frame_header header, char* to) noexcept;

// The header at the front of `bytes`; none when it isn't one that was written for this position.
std::optional<frame_header> header_at(std::string_view bytes, std::uint64_t position) noexcept;

// Where a partition stands. Offsets at or above `next` were never given; those below `reserved` may be given.
struct partition_state {
  std::uint64_t start = 0;  // first offset that can be read
  std::uint64_t end = 0;    // one past the last record
  std::uint64_t next = 0;   // what the next record gets
  std::uint64_t reserved = 0;
  std::uint64_t ordinal = 0;  // records ever appended
};

struct topic_state {
  topic_spec spec;
  std::vector<partition_state> partitions;
};

using group_positions = std::map<partition_id, std::uint64_t>;

struct journal_state {
  std::string bus_id;
  bool clean = false;  // the last frame of a journal that was closed: `next` is exact
  std::vector<topic_state> topics;
  std::map<std::string, group_positions, std::less<>> groups;
};

void encode(const journal_state& state, std::string& out);
result<journal_state> decode_state(std::string_view bytes);

}  // namespace gantry::bus::local
