// Frames from the page cache to records.
#include <algorithm>

#include "base/hash.hpp"
#include "bus/local/journal_bus.hpp"

namespace gantry::bus::local {
namespace {

// Reading a gap of this size costs less than a further call.
constexpr std::uint64_t gap_worth_reading = 4096;

struct run {
  std::uint64_t at = 0;
  std::uint64_t end = 0;
};

std::uint64_t end_of(const frame_entry& frame) { return frame.at + frame.length; }

bool joins(const frame_entry& before, const frame_entry& after) {
  return after.at - end_of(before) <= gap_worth_reading;
}

// The span of the file from frame `first` on that is read in one call; sets `first` to the frame behind it.
run next_run(const frame_list& frames, std::size_t& first) {
  run out{frames[first].at, end_of(frames[first])};
  while (++first < frames.size() && joins(frames[first - 1], frames[first])) out.end = end_of(frames[first]);
  return out;
}

error unsound(const frame_plan& plan, const frame_entry& frame, const partition_index& partition,
              const std::string& why) {
  return {errc::corrupt, "offset " + std::to_string(frame.base) + " of " + partition.name() + ": " +
                             plan.where->path().string() + " has no sound frame at byte " + std::to_string(frame.at) +
                             " (position " + std::to_string(plan.where->start() + frame.at) + "): " + why};
}

result<void> add_records(const frame_plan& plan, const frame_entry& frame, const partition_index& partition,
                         std::string_view bytes, std::uint64_t from, std::size_t max_records, fetched& out) {
  const auto header = header_at(bytes, plan.where->start() + frame.at);
  if (!header || header->length != frame.length || header->base_offset != frame.base ||
      header->topic != partition.where().topic || header->partition != partition.where().partition)
    return unsound(plan, frame, partition, "its header is not what the index says");
  bytes.remove_prefix(sizeof(frame_header));
  if (crc32c(bytes) != header->payload_crc) return unsound(plan, frame, partition, "its bytes fail their check");
  const auto source = bytes.substr(0, header->source);
  bytes.remove_prefix(header->source);
  for (std::uint64_t offset = frame.base; offset < frame.end() && out.records.size() < max_records; ++offset) {
    auto decoded = decode(bytes);
    if (!decoded) return unsound(plan, frame, partition, decoded.failure().text);
    if (offset < from) continue;
    auto& added = out.records.emplace_back(*decoded);
    added.offset = offset;
    added.source = source;
    out.next = offset + 1;
  }
  return {};
}

}  // namespace

result<void> read_frames(const frame_plan& plan, const partition_index& partition, std::uint64_t from,
                         std::size_t max_records, fetched& out) {
  auto log = plan.where->log();
  if (!log) return std::move(log).failure();
  std::uint64_t needed = 0;
  for (std::size_t i = 0; i < plan.frames.size();) {
    const auto span = next_run(plan.frames, i);
    needed += span.end - span.at;
  }
  // Grown once and never shrunk, so that no fetch pays for filling it with zeros.
  if (out.bytes.size() < needed) out.bytes.resize(std::max<std::size_t>(needed, 2 * out.bytes.size()));
  std::size_t used = 0;
  for (std::size_t i = 0; i < plan.frames.size();) {
    const std::size_t first = i;
    const auto span = next_run(plan.frames, i);
    const std::size_t length = span.end - span.at;
    if (auto read = read_all(**log, out.bytes.data() + used, length, span.at); !read)
      return unsound(plan, plan.frames[first], partition, read.failure().text);
    for (std::size_t k = first; k < i; ++k) {
      const auto& frame = plan.frames[k];
      const auto bytes = std::string_view(out.bytes).substr(used + frame.at - span.at, frame.length);
      if (auto added = add_records(plan, frame, partition, bytes, from, max_records, out); !added) return added;
    }
    used += length;
  }
  return {};
}

}  // namespace gantry::bus::local
