// What the journal asks of the operating system's files, so that tests can lose writes, fail syncs and fill disks.
// Errors: unavailable when the disk is full, not_found when the file does not exist, conflict for a lock that
// somebody holds, io for all else.
// Owned by whoever opens the bus; outlives it. Thread: any.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace gantry::bus::local {

// What a file that was opened as `direct` is written in.
constexpr std::uint64_t block_bytes = 4096;

class file {
 public:
  file() = default;
  file(const file&) = delete;
  file& operator=(const file&) = delete;
  virtual ~file() = default;

  // Bytes that were written, perhaps fewer than given. A direct file takes whole blocks, at a block, from memory that
  // is aligned to blocks.
  virtual result<std::size_t> pwrite(std::string_view bytes, std::uint64_t at) = 0;
  // Bytes that were read; 0 at the end of the file.
  virtual result<std::size_t> pread(char* to, std::size_t bytes, std::uint64_t at) = 0;
  // Tells that these bytes will be read soon.
  virtual void prefetch(std::uint64_t at, std::uint64_t bytes) = 0;
  virtual result<void> fdatasync() = 0;
  virtual result<void> truncate(std::uint64_t size) = 0;
};

// Held until destroyed.
class directory_lock {
 public:
  virtual ~directory_lock() = default;
};

enum class open_mode {
  read,
  write,
  create,  // the file is made, or emptied
  direct,  // for writing past the page cache, where the file system can do so; not for reading
};

struct listed_file {
  std::string name;
  std::uint64_t size = 0;
};

class file_system {
 public:
  file_system() = default;
  file_system(const file_system&) = delete;
  file_system& operator=(const file_system&) = delete;
  virtual ~file_system() = default;

  virtual result<std::unique_ptr<file>> open(const std::filesystem::path& path, open_mode mode) = 0;
  virtual result<void> rename(const std::filesystem::path& from, const std::filesystem::path& to) = 0;
  virtual result<void> unlink(const std::filesystem::path& path) = 0;
  virtual result<void> make_directory(const std::filesystem::path& path) = 0;
  // Makes the names in the directory durable.
  virtual result<void> sync_directory(const std::filesystem::path& path) = 0;
  virtual result<std::vector<listed_file>> list(const std::filesystem::path& directory) = 0;
  // One holder at a time, over all processes; conflict names the process that holds it.
  virtual result<std::unique_ptr<directory_lock>> lock(const std::filesystem::path& path) = 0;
};

// The machine's files. Lives as long as the process.
file_system& machine_files() noexcept;

// Writes all bytes, however many calls it takes.
result<void> write_all(file& to, std::string_view bytes, std::uint64_t at);

// Writes whole blocks through `direct`, and through `plain`, the same file, what that takes only in part.
result<void> write_blocks(file& direct, file& plain, std::string_view blocks, std::uint64_t at);

// Reads exactly so many bytes; corrupt when the file ends before.
result<void> read_all(file& from, char* to, std::size_t bytes, std::uint64_t at);

}  // namespace gantry::bus::local
