#include "topology/graph.hpp"

#include <cstdio>

#include "cli/commands.hpp"
#include "loader/discover.hpp"

namespace gantry::cli {

int graph(const file_arguments& arguments, const std::string& format) {
  const auto parsed = topology::load_topology(arguments.topology);
  for (const auto& p : parsed.problems) std::fprintf(stderr, "%s\n", topology::to_text(p).c_str());
  if (topology::has_errors(parsed.problems)) return 1;
  // A plugin that is not built yet stands in the picture without arrows.
  const auto found = loader::discover(parsed.model);
  for (const auto& p : found.problems) std::fprintf(stderr, "%s\n", topology::to_text(p).c_str());
  const auto picture = format == "dot" ? topology::to_dot(parsed.model, found.manifests)
                                       : topology::to_mermaid(parsed.model, found.manifests);
  std::fputs(picture.c_str(), stdout);
  return 0;
}

}  // namespace gantry::cli
