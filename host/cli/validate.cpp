#include <cstdio>

#include "cli/commands.hpp"
#include "loader/discover.hpp"

namespace gantry::cli {

int validate(const file_arguments& arguments) {
  const auto checked = loader::validate_file(arguments.topology);
  const bool bad = topology::has_errors(checked.problems);
  if (arguments.json) {
    std::printf("%s\n", topology::to_json(checked.problems).c_str());
    return bad ? 1 : 0;
  }
  for (const auto& p : checked.problems) std::printf("%s\n", topology::to_text(p).c_str());
  const auto& model = checked.model;
  if (bad) {
    std::size_t errors = 0;
    for (const auto& p : checked.problems) errors += p.level == topology::severity::error ? 1 : 0;
    std::printf("%s: %zu %s: it will not run\n", arguments.topology.c_str(), errors, errors == 1 ? "error" : "errors");
    return 1;
  }
  std::printf("%s: valid: plugins %zu, topics %zu, hosts %zu\n", arguments.topology.c_str(), model.plugins.size(),
              model.topics.size(), model.hosts.size());
  return 0;
}

}  // namespace gantry::cli
