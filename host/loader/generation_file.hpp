// The private copy of a plugin file that one generation is loaded from.
// Thread: main.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "base/result.hpp"
#include "loader/file_image.hpp"

namespace gantry::loader {

// <state_dir>/generations/<plugin>-<n>-<first 16 digits of digest>.so. The loader of the system knows libraries by name
// and inode, so each generation needs a path of its own.
std::filesystem::path generation_path(const std::filesystem::path& state_dir, const std::string& plugin,
                                      std::uint64_t generation, const std::string& digest);

// Writes the image there, durably, readable and executable for this user alone; makes the directories. An older copy of
// that name is replaced; hosts that share the directory wait for each other. io: the text carries the system's reason,
// or says that the file system is mounted noexec.
result<void> write_generation(const file_image& image, const std::filesystem::path& path);

// Whether a file of this path is mapped into this process.
bool is_mapped(const std::filesystem::path& path);

}  // namespace gantry::loader
