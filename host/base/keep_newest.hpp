// Files that are written one after another, with their time in the name, and of which only the newest are wanted.
// Thread: any.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string_view>

namespace gantry {

// Removes the older ones of <folder>/<before><microseconds since 1970><after>, so that `count` are left. One that can't
// be removed stays.
void keep_newest(const std::filesystem::path& folder, std::string_view before, std::string_view after,
                 std::size_t count);

}  // namespace gantry
