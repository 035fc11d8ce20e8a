#include "bus/local/segment.hpp"

#include <algorithm>
#include <charconv>
#include <cstring>

#include "base/hash.hpp"

namespace gantry::bus::local {
namespace {

constexpr std::uint64_t index_magic = 0x3158'4449'4A4E'47;  // "GNJIDX1"
constexpr std::size_t scan_window = 4U << 20;

struct index_header {
  std::uint32_t crc = 0;  // of the rest of the header and the sections
  std::uint32_t sections = 0;
  std::uint64_t magic = index_magic;
  std::uint64_t start = 0;
  std::uint64_t log_size = 0;
  std::uint64_t state_at = 0;
};
static_assert(sizeof(index_header) == 40);

template <typename T>
std::string_view bytes_of(const T* values, std::size_t n) {
  return {reinterpret_cast<const char*>(values), n * sizeof(T)};
}

// A moving window over a file, for reading it once from front to back.
class window {
 public:
  window(file& log, std::uint64_t size) : log_(log), size_(size) {}

  // `bytes` bytes at `at`, fewer at the end of the file.
  result<std::string_view> view(std::uint64_t at, std::uint64_t bytes) {
    bytes = std::min(bytes, size_ - std::min(at, size_));
    if (at < at_ || at + bytes > at_ + held_) {
      const std::uint64_t want = std::min(std::max<std::uint64_t>(bytes, scan_window), size_ - at);
      if (buffer_.size() < want) buffer_.resize(want);
      held_ = 0;
      if (auto read = read_all(log_, buffer_.data(), want, at); !read) return std::move(read).failure();
      at_ = at;
      held_ = want;
    }
    return std::string_view(buffer_).substr(at - at_, bytes);
  }

 private:
  file& log_;
  std::uint64_t size_;
  std::string buffer_;
  std::uint64_t at_ = 0;
  std::uint64_t held_ = 0;
};

}  // namespace

void section::add(const frame_entry& frame, std::int64_t frame_appended_us) {
  if (frames == 0) {
    first = frame.base;
    first_ordinal = frame.ordinal;
    newest_us = frame.newest_us;
  }
  end = frame.end();
  end_ordinal = frame.ordinal + frame.count;
  newest_us = std::max(newest_us, frame.newest_us);
  appended_us = frame_appended_us;
  bytes += frame.length;
  ++frames;
}

segment::segment(file_system& files, const std::filesystem::path& directory, std::uint64_t start,
                 std::unique_ptr<file> log)
    : files_(files),
      start_(start),
      path_(directory / segment_name(start)),
      index_path_(std::filesystem::path(path_).replace_extension(".idx")),
      log_(std::move(log)),
      opened_(log_.get()) {}

result<std::shared_ptr<segment>> segment::create(file_system& files, const std::filesystem::path& directory,
                                                 std::uint64_t start) {
  const auto path = directory / segment_name(start);
  auto log = files.open(path, open_mode::create);
  if (!log) return std::move(log).failure();
  auto made = std::make_shared<segment>(files, directory, start, std::move(*log));
  // Without it writes go through the page cache: slower, and no reason to refuse an append.
  if (auto direct = files.open(path, open_mode::direct)) made->direct_ = std::move(*direct);
  return made;
}

result<void> segment::write(std::string_view blocks, std::uint64_t at) {
  return write_blocks(direct_ ? *direct_ : *log_, *log_, blocks, at);
}

result<void> segment::finish(std::uint64_t size) {
  direct_.reset();
  return log_->truncate(size);
}

result<file*> segment::log() {
  if (file* opened = opened_.load(std::memory_order_acquire)) return opened;
  const std::scoped_lock lock(opening_);
  if (!log_) {
    auto opened = files_.open(path_, open_mode::write);
    if (!opened) return std::move(opened).failure();
    log_ = std::move(*opened);
    opened_.store(log_.get(), std::memory_order_release);
  }
  return log_.get();
}

std::string segment_name(std::uint64_t start) {
  const std::string digits = std::to_string(start);
  return std::string(20 - digits.size(), '0') + digits + ".log";
}

std::optional<std::uint64_t> start_of(std::string_view file_name) {
  if (file_name.size() != 24 || !file_name.ends_with(".log")) return std::nullopt;
  std::uint64_t start = 0;
  const auto [end, failed] = std::from_chars(file_name.data(), file_name.data() + 20, start);
  if (failed != std::errc{} || end != file_name.data() + 20) return std::nullopt;
  return start;
}

result<void> write_index(file_system& files, const segment& of, std::uint64_t log_size, std::uint64_t state_at,
                         std::vector<indexed_section>& sections) {
  index_header header;
  header.sections = static_cast<std::uint32_t>(sections.size());
  header.start = of.start();
  header.log_size = log_size;
  header.state_at = state_at;
  std::uint64_t at = sizeof header + sections.size() * sizeof(section);
  std::string out(sizeof header, '\0');
  for (auto& part : sections) {
    const auto frames = bytes_of(part.frames->data(), part.frames->size());
    part.summary.indexed_at = at;
    part.summary.frames = static_cast<std::uint32_t>(part.frames->size());
    part.summary.frames_crc = crc32c(frames);
    at += frames.size();
    out.append(bytes_of(&part.summary, 1));
  }
  std::memcpy(out.data(), &header, sizeof header);
  header.crc = crc32c(std::string_view(out).substr(sizeof header.crc));
  std::memcpy(out.data(), &header.crc, sizeof header.crc);
  for (const auto& part : sections) out.append(bytes_of(part.frames->data(), part.frames->size()));

  const auto unfinished = std::filesystem::path(of.index_path()).replace_extension(".tmp");
  auto opened = files.open(unfinished, open_mode::create);
  if (!opened) return std::move(opened).failure();
  if (auto written = write_all(**opened, out, 0); !written) return written;
  if (auto synced = (*opened)->fdatasync(); !synced) return synced;
  return files.rename(unfinished, of.index_path());
}

result<segment_index> read_index(file_system& files, const segment& of) {
  auto opened = files.open(of.index_path(), open_mode::read);
  if (!opened) return std::move(opened).failure();
  index_header header;
  if (auto read = read_all(**opened, reinterpret_cast<char*>(&header), sizeof header, 0); !read)
    return std::move(read).failure();
  const error unsound{errc::corrupt, of.index_path().string() + " fails its check"};
  if (header.magic != index_magic || header.start != of.start() || header.sections > (1U << 24)) return unsound;
  segment_index out{header.log_size, header.state_at, std::vector<section>(header.sections)};
  const auto sections = bytes_of(out.sections.data(), out.sections.size());
  if (auto read = read_all(**opened, reinterpret_cast<char*>(out.sections.data()), sections.size(), sizeof header);
      !read)
    return std::move(read).failure();
  const auto crc = crc32c(sections, crc32c(bytes_of(&header, 1).substr(sizeof header.crc)));
  if (crc != header.crc) return unsound;
  return out;
}

result<std::shared_ptr<const frame_list>> frame_cache::load(const segment& of, const section& part) {
  const key name{of.start(), part.where};
  {
    const std::scoped_lock lock(mutex_);
    if (const auto found = by_key_.find(name); found != by_key_.end()) {
      recent_.splice(recent_.begin(), recent_, found->second);
      return found->second->frames;
    }
  }
  auto opened = files_.open(of.index_path(), open_mode::read);
  if (!opened) return std::move(opened).failure();
  auto frames = std::make_shared<frame_list>(part.frames);
  const auto bytes = bytes_of(frames->data(), frames->size());
  if (auto read = read_all(**opened, reinterpret_cast<char*>(frames->data()), bytes.size(), part.indexed_at); !read)
    return std::move(read).failure();
  if (crc32c(bytes) != part.frames_crc)
    return error{errc::corrupt, of.index_path().string() + " fails its check at byte " +
                                    std::to_string(part.indexed_at) +
                                    "; remove this file and it is made again at the next start"};

  const std::scoped_lock lock(mutex_);
  if (by_key_.contains(name)) return std::shared_ptr<const frame_list>(frames);
  recent_.push_front({name, frames});
  by_key_[name] = recent_.begin();
  bytes_ += bytes.size();
  while (bytes_ > max_bytes_ && recent_.size() > 1) {
    bytes_ -= recent_.back().frames->size() * sizeof(frame_entry);
    by_key_.erase(recent_.back().name);
    recent_.pop_back();
  }
  return std::shared_ptr<const frame_list>(frames);
}

result<std::uint64_t> scan(file& log, std::uint64_t start, std::uint64_t size, const frame_visitor& visit) {
  window in(log, size);
  std::uint64_t at = 0;
  while (at < size) {
    auto front = in.view(at, sizeof(frame_header));
    if (!front) return std::move(front).failure();
    const auto header = header_at(*front, start + at);
    if (!header || at + header->length > size) break;
    auto whole = in.view(at, header->length);
    if (!whole) return std::move(whole).failure();
    const auto payload = whole->substr(sizeof(frame_header));
    if (crc32c(payload) != header->payload_crc) break;
    auto go_on = visit(*header, at, payload);
    if (!go_on) return std::move(go_on).failure();
    if (!*go_on) break;
    at += padded(header->length);
  }
  return std::min(at, size);
}

result<std::uint64_t> synced_behind(file& log, std::uint64_t start, std::uint64_t size, std::uint64_t from) {
  window in(log, size);
  std::uint64_t synced = 0;
  for (std::uint64_t at = padded(from); at + sizeof(frame_header) <= size; at += 8) {
    auto front = in.view(at, sizeof(frame_header));
    if (!front) return std::move(front).failure();
    if (const auto header = header_at(*front, start + at)) synced = std::max(synced, header->synced);
  }
  return synced;
}

}  // namespace gantry::bus::local
