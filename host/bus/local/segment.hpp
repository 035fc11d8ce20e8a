// One file of the journal, what it holds of each partition, and the index file beside it.
#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "bus/local/file_system.hpp"
#include "bus/local/frame.hpp"

namespace gantry::bus::local {

// Where one frame of a partition lies.
struct frame_entry {
  std::uint64_t base = 0;
  std::uint64_t ordinal = 0;
  std::uint64_t at = 0;  // in the file
  std::int64_t newest_us = 0;
  std::uint32_t count = 0;
  std::uint32_t length = 0;

  std::uint64_t end() const noexcept { return base + count; }
};

using frame_list = std::vector<frame_entry>;

// What a segment holds of one partition.
struct section {
  partition_id where;
  std::uint64_t first = 0;  // offsets
  std::uint64_t end = 0;
  std::uint64_t first_ordinal = 0;
  std::uint64_t end_ordinal = 0;
  std::int64_t newest_us = 0;    // greatest occurrence time
  std::int64_t appended_us = 0;  // of the last frame
  std::uint64_t bytes = 0;
  std::uint64_t indexed_at = 0;  // of its frame entries in the index file
  std::uint32_t frames = 0;
  std::uint32_t frames_crc = 0;

  void add(const frame_entry& frame, std::int64_t frame_appended_us);
};
static_assert(sizeof(section) == 80);

// A segment's files. Shared by the journal and by whoever reads from it; the files may be gone from the directory
// while somebody still reads. Thread: any.
class segment {
 public:
  // `log` is null when the file is to be opened at the first read.
  segment(file_system& files, const std::filesystem::path& directory, std::uint64_t start, std::unique_ptr<file> log);

  // Makes the file, or empties it, and opens it for writing too.
  static result<std::shared_ptr<segment>> create(file_system& files, const std::filesystem::path& directory,
                                                 std::uint64_t start);

  std::uint64_t start() const noexcept { return start_; }
  const std::filesystem::path& path() const noexcept { return path_; }
  const std::filesystem::path& index_path() const noexcept { return index_path_; }
  result<file*> log();

  // Writes whole blocks to a segment that was created here and isn't finished. Thread: one at a time, also finish.
  result<void> write(std::string_view blocks, std::uint64_t at);
  // The file ends at `size`; nothing is written any more.
  result<void> finish(std::uint64_t size);

 private:
  file_system& files_;
  std::uint64_t start_;
  std::filesystem::path path_;
  std::filesystem::path index_path_;
  std::mutex opening_;
  std::unique_ptr<file> log_;
  std::atomic<file*> opened_;
  std::unique_ptr<file> direct_;  // while it is written to, if the system gives one
};

std::string segment_name(std::uint64_t start);
std::optional<std::uint64_t> start_of(std::string_view file_name);  // none when it isn't a segment's name

// A section with its frames, as they are written to an index file.
struct indexed_section {
  section summary;
  std::shared_ptr<const frame_list> frames;
};

struct segment_index {
  std::uint64_t log_size = 0;
  std::uint64_t state_at = 0;  // of the last state frame in the file
  std::vector<section> sections;
};

// Writes the index file in one step, synced; sets indexed_at, frames and frames_crc of the summaries.
result<void> write_index(file_system& files, const segment& of, std::uint64_t log_size, std::uint64_t state_at,
                         std::vector<indexed_section>& sections);

// Reads all but the frames. corrupt or not_found: it has to be made anew from the segment.
result<segment_index> read_index(file_system& files, const segment& of);

// Reads frames of sealed segments and keeps those used last, up to a bound. Thread: any.
class frame_cache {
 public:
  frame_cache(file_system& files, std::size_t max_bytes) : files_(files), max_bytes_(max_bytes) {}
  result<std::shared_ptr<const frame_list>> load(const segment& of, const section& part);

 private:
  struct key {
    std::uint64_t start;
    partition_id where;
    auto operator<=>(const key&) const = default;
  };
  struct kept {
    key name;
    std::shared_ptr<const frame_list> frames;
  };

  file_system& files_;
  const std::size_t max_bytes_;
  std::mutex mutex_;
  std::list<kept> recent_;  // the front was used last
  std::map<key, std::list<kept>::iterator> by_key_;
  std::size_t bytes_ = 0;
};

// Hears of each sound frame in turn; false ends the scan before this frame.
using frame_visitor =
    std::function<result<bool>(const frame_header& header, std::uint64_t at, std::string_view payload)>;

// Goes through the frames from the front of the file up to the first that is not sound; returns where that is.
result<std::uint64_t> scan(file& log, std::uint64_t start, std::uint64_t size, const frame_visitor& visit);

// The greatest `synced` of any sound header behind `from`; 0 when there is none.
result<std::uint64_t> synced_behind(file& log, std::uint64_t start, std::uint64_t size, std::uint64_t from);

}  // namespace gantry::bus::local
