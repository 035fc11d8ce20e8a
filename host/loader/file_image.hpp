// The bytes of a plugin file, read once: what was checked is then what is loaded, whatever happens to the file.
// Thread: any.
#pragma once

#include <filesystem>
#include <string>

#include "base/result.hpp"

namespace gantry::loader {

struct file_image {
  std::filesystem::path path;
  std::string bytes;

  // "order.so", for texts about it.
  std::string name() const { return path.filename().string(); }
};

// Reads a regular file of at most 1 GiB. not_found, io or too_large; the text names the file.
result<file_image> read_image(const std::filesystem::path& path);

// SHA-256 of the bytes, 64 hexadecimal digits.
std::string digest_of(const file_image& image);

}  // namespace gantry::loader
