#include "loader/inspect.hpp"

#include <cstdio>

#include "cli/commands.hpp"

namespace gantry::cli {

int inspect(const std::string& file, bool json) {
  const auto report = loader::inspect(file, {});
  if (!report) {
    std::fprintf(stderr, "gantry: %s\n", report.failure().text.c_str());
    return 1;
  }
  const auto text = json ? loader::to_json(*report) : loader::to_text(*report);
  std::fputs(text.c_str(), stdout);
  if (!text.ends_with('\n')) std::fputs("\n", stdout);
  return report->faults.empty() ? 0 : 1;
}

}  // namespace gantry::cli
