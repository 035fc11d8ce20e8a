#include "lifecycle/old_copies.hpp"

#include <fstream>
#include <optional>
#include <set>

#include "loader/generation_file.hpp"
#include "observability/log.hpp"

namespace gantry::lifecycle {
namespace {

constexpr std::size_t spare_copies = 4;

// The files that the pointers of all hosts name, in whichever line. Nothing: one can't be read, so nobody knows.
std::optional<std::set<std::string>> named_copies(const std::filesystem::path& folder) {
  std::set<std::string> out;
  std::error_code failed;
  for (std::filesystem::directory_iterator at(folder, failed), end; !failed && at != end; at.increment(failed)) {
    if (at->path().extension() != ".current") continue;
    std::ifstream in(at->path());
    if (!in) return std::nullopt;
    for (std::string line; std::getline(in, line);)
      if (const auto blank = line.find(' '); blank != std::string::npos && line.ends_with(".so"))
        out.insert(line.substr(blank + 1));
  }
  if (failed) return std::nullopt;
  return out;
}

}  // namespace

void remove_old_copies(const std::filesystem::path& state, const std::string& plugin) {
  const auto folder = loader::generation_path(state, plugin, 1, {}).parent_path();
  // Asked once no process can load another copy meanwhile, which a pointer then names.
  const auto named = [&] { return named_copies(folder); };
  if (auto done = loader::remove_copies(folder, plugin, spare_copies, named); !done)
    observability::log_warn("Old copies of a plugin could not be removed.",
                            {{"plugin", plugin}, {"error", done.failure().text}});
}

}  // namespace gantry::lifecycle
