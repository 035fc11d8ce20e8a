// Directories whose entries survive the loss of power.
#pragma once

#include <filesystem>

#include "base/result.hpp"

namespace gantry::store::sqlite {

// Creates a directory and what is missing above it, durably. io: the operating system refused.
result<void> create_directories_durably(const std::filesystem::path& directory);

// Makes the entries of a directory durable. io: the operating system refused.
result<void> sync_directory(const std::filesystem::path& directory);

}  // namespace gantry::store::sqlite
