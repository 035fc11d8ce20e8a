// A small file that is there as it was or as it is to be, whenever the process or the machine dies.
// Thread: any; one writer a file.
#pragma once

#include <filesystem>
#include <string_view>

#include "base/result.hpp"

namespace gantry {

// Replaces a file by this content, or leaves it as it was; durable when it returns. Makes the directories. io: the text
// carries the system's reason.
result<void> replace_file(const std::filesystem::path& path, std::string_view content);

}  // namespace gantry
