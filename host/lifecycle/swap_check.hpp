// Whether one version of a plugin can take another one's place, by what their manifests say.
// Thread: any.
#pragma once

#include <string>
#include <vector>

#include "loader/manifest.hpp"

namespace gantry::lifecycle {

struct swap_verdict {
  std::vector<std::string> never;    // reasons that nothing overrules: the work could not go on
  std::vector<std::string> careful;  // reasons that an operator may overrule: others would notice

  bool fits(bool force) const noexcept { return never.empty() && (force || careful.empty()); }
};

// `others`: what the other plugins of the topology say of themselves, as far as they are known here. `topics` and
// `plugins` are the names that the topology has. `back`: `next`
// was here before `now`, so migrations that only add may be ahead of it.
swap_verdict compare_versions(const loader::manifest& now, const loader::manifest& next,
                              const std::vector<const loader::manifest*>& others,
                              const std::vector<std::string>& topics, const std::vector<std::string>& plugins,
                              bool back = false);

// Dotted numbers, part by part: negative when `a` is the older one. What is no number counts as text.
int compare_version_numbers(std::string_view a, std::string_view b);

}  // namespace gantry::lifecycle
