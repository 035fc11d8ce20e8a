#include "base/keep_newest.hpp"

#include <algorithm>
#include <string>
#include <vector>

namespace gantry {
namespace {

constexpr std::size_t digits_of_a_time = 16;  // from 2001 to 2286; a name with a short number is another file

bool is_time(std::string_view text) {
  return text.size() == digits_of_a_time && text.find_first_not_of("0123456789") == std::string_view::npos;
}

}  // namespace

void keep_newest(const std::filesystem::path& folder, std::string_view before, std::string_view after,
                 std::size_t count) {
  std::vector<std::string> names;
  std::error_code failed;
  for (std::filesystem::directory_iterator at(folder, failed), end; !failed && at != end; at.increment(failed)) {
    auto name = at->path().filename().string();
    if (name.size() != before.size() + digits_of_a_time + after.size()) continue;
    if (name.starts_with(before) && name.ends_with(after) &&
        is_time(std::string_view(name).substr(before.size(), digits_of_a_time)))
      names.push_back(std::move(name));
  }
  if (names.size() <= count) return;
  std::sort(names.begin(), names.end());
  for (std::size_t i = 0; i < names.size() - count; ++i) std::filesystem::remove(folder / names[i], failed);
}

}  // namespace gantry
