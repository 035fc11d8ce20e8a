// The private copy of a plugin file that one generation is loaded from.
// Thread: main, but for what says otherwise.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <set>
#include <string>

#include "base/result.hpp"
#include "loader/file_image.hpp"

namespace gantry::loader {

// <state_dir>/generations/<plugin>-<n>-<first 16 digits of digest>.so. The loader of the system knows libraries by name
// and inode, so each generation needs a path of its own.
std::filesystem::path generation_path(const std::filesystem::path& state_dir, const std::string& plugin,
                                      std::uint64_t generation, const std::string& digest);

// Says to all processes that share the directory that a copy is in use, until it is destroyed or the process ends.
class copy_in_use {
 public:
  copy_in_use() = default;
  explicit copy_in_use(int file) noexcept : file_(file) {}
  copy_in_use(copy_in_use&& other) noexcept : file_(other.file_) { other.file_ = -1; }
  copy_in_use& operator=(copy_in_use&& other) noexcept;
  ~copy_in_use();

  // For what stays mapped: in use until the process ends.
  void keep() noexcept { file_ = -1; }

 private:
  int file_ = -1;  // open, with a shared lock
};

// Writes the image there, durably, readable and executable for this user alone; makes the directories. An older copy of
// that name is replaced, unless it is the same: others may have it mapped. Hosts that share the directory wait for each
// other. io: the text carries the system's reason, or says that the file system is mounted noexec.
result<copy_in_use> write_generation(const file_image& image, const std::filesystem::path& path);

// Removes the copies of a plugin in this directory, with their signatures, that no process uses and `named` does not
// have; the newest `spare` of those stay. `named` is called while no copy can be written; nothing: it can't tell, and
// all stay. io. [any]
result<void> remove_copies(const std::filesystem::path& directory, const std::string& plugin, std::size_t spare,
                           const std::function<std::optional<std::set<std::string>>()>& named);

// Whether a file of this path is mapped into this process.
bool is_mapped(const std::filesystem::path& path);

}  // namespace gantry::loader
