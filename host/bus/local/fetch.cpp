// Frames from memory or files to records.
#include <algorithm>
#include <cstring>

#include "base/hash.hpp"
#include "bus/local/journal_bus.hpp"

namespace gantry::bus::local {
namespace {

// Reading a gap of this size costs less than a further call.
constexpr std::uint64_t gap_worth_reading = 4096;

constexpr std::uint64_t prefetch_from = 64U << 10;
constexpr std::uint64_t prefetch_most = 8U << 20;
// A partition whose frames lie farther apart would have all else read too.
constexpr std::uint64_t prefetch_spread = 16;

struct run {
  std::uint64_t at = 0;
  std::uint64_t end = 0;
};

std::uint64_t end_of(const frame_entry& frame) { return frame.at + frame.length; }

bool joins(const frame_entry& before, const frame_entry& after) {
  return after.at - end_of(before) <= gap_worth_reading;
}

// The span of the file from frame `first` on that is read in one call; sets `first` to the frame behind it.
run next_run(const frame_list& frames, std::size_t end, std::size_t& first) {
  run out{frames[first].at, end_of(frames[first])};
  while (++first < end && joins(frames[first - 1], frames[first])) out.end = end_of(frames[first]);
  return out;
}

error unsound(const frame_plan& plan, const frame_entry& frame, const partition_index& partition,
              const std::string& why) {
  return {errc::corrupt, "offset " + std::to_string(frame.base) + " of " + partition.name() + ": " +
                             plan.where->path().string() + " has no sound frame at byte " + std::to_string(frame.at) +
                             " (position " + std::to_string(plan.where->start() + frame.at) + "): " + why};
}

// Checks a frame that was read from a file.
result<void> check(const frame_plan& plan, const frame_entry& frame, const partition_index& partition,
                   std::string_view bytes) {
  const auto header = header_at(bytes, plan.where->start() + frame.at);
  if (!header || header->length != frame.length || header->base_offset != frame.base ||
      header->topic != partition.where().topic || header->partition != partition.where().partition)
    return unsound(plan, frame, partition, "its header is not what the index says");
  if (crc32c(bytes.substr(sizeof(frame_header))) != header->payload_crc)
    return unsound(plan, frame, partition, "its bytes fail their check");
  return {};
}

result<void> add_records(const frame_plan& plan, const frame_entry& frame, const partition_index& partition,
                         std::string_view bytes, std::uint64_t from, std::size_t max_records, fetched& out) {
  frame_header header;
  std::memcpy(&header, bytes.data(), sizeof header);
  bytes.remove_prefix(sizeof header);
  const auto source = bytes.substr(0, header.source);
  bytes.remove_prefix(header.source);
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

// Reads frames [0, end) of the plan, `bytes` with the gaps worth reading, from their file to the front of out.bytes.
result<void> read_from_file(const frame_plan& plan, std::size_t end, std::size_t bytes,
                            const partition_index& partition, fetched& out) {
  auto log = plan.where->log();
  if (!log) return std::move(log).failure();
  // What was written went past the page cache. The next fetch will most likely want what follows, other partitions'
  // consumers what lies between.
  const std::uint64_t front = plan.frames.front().at;
  const std::uint64_t length = end_of(plan.frames[end - 1]) - front;
  if (length > prefetch_from && length <= prefetch_spread * bytes)
    (*log)->prefetch(front, std::min(2 * length, prefetch_most));
  std::size_t used = 0;
  for (std::size_t i = 0; i < end;) {
    const std::size_t first = i;
    const auto span = next_run(plan.frames, end, i);
    if (auto read = read_all(**log, out.bytes.data() + used, span.end - span.at, span.at); !read)
      return unsound(plan, plan.frames[first], partition, read.failure().text);
    used += span.end - span.at;
  }
  return {};
}

}  // namespace

result<void> read_frames(const frame_plan& plan, const partition_index& partition, const tail& newest,
                         std::uint64_t from, std::size_t max_records, fetched& out) {
  const auto& frames = plan.frames;
  const auto in_memory = newest.find(*plan.where, frames);
  std::size_t needed = 0;
  for (std::size_t i = 0; i < in_memory.first;) {
    const auto span = next_run(frames, in_memory.first, i);
    needed += span.end - span.at;
  }
  const std::size_t in_file = needed;
  for (std::size_t i = in_memory.first; i < frames.size(); ++i) needed += frames[i].length;
  // Grown once and never shrunk, so that no fetch pays for filling it with zeros.
  if (out.bytes.size() < needed) out.bytes.resize(std::max<std::size_t>(needed, 2 * out.bytes.size()));
  if (in_memory.first != 0)
    if (auto read = read_from_file(plan, in_memory.first, in_file, partition, out); !read) return read;
  std::size_t used = 0;
  for (std::size_t i = 0; i < in_memory.first;) {
    std::size_t k = i;
    const auto span = next_run(frames, in_memory.first, i);
    for (; k < i; ++k) {
      const auto bytes = std::string_view(out.bytes).substr(used + frames[k].at - span.at, frames[k].length);
      if (auto sound = check(plan, frames[k], partition, bytes); !sound) return sound;
      if (auto added = add_records(plan, frames[k], partition, bytes, from, max_records, out); !added) return added;
    }
    used += span.end - span.at;
  }
  for (std::size_t i = in_memory.first; i < frames.size() && out.records.size() < max_records; ++i) {
    char* const to = out.bytes.data() + used;
    std::memcpy(to, in_memory.frames[i - in_memory.first], frames[i].length);
    if (auto added = add_records(plan, frames[i], partition, {to, frames[i].length}, from, max_records, out); !added)
      return added;
    used += frames[i].length;
  }
  return {};
}

}  // namespace gantry::bus::local
