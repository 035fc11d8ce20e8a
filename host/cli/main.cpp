#include <CLI/CLI.hpp>

#include "cli/commands.hpp"
#include "gantry/abi/version.h"

namespace gantry::cli {

int main(int argc, char** argv) {
  CLI::App app("Gantry runs service plugins from a topology file: all in one process, or spread over many.", "gantry");
  app.set_version_flag("--version", "gantry " GANTRY_SDK_VERSION);
  app.require_subcommand(1);

  run_arguments run_with;
  auto* run_command = app.add_subcommand("run", "Run the hosts of a topology; SIGTERM drains");
  run_command->add_option("-t,--topology", run_with.topology, "The topology file")->capture_default_str();
  run_command->add_option("--host", run_with.host, "The host to run; needed when the topology has several");
  run_command->add_option("--log-level", run_with.log_level, "debug, info, warn or error")->capture_default_str();
  run_command->add_option("--drain-timeout-ms", run_with.drain_timeout_ms, "How long to wait for work in progress")
      ->capture_default_str();
  run_command->add_flag("--json", run_with.json, "JSON log lines, no table");

  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    return app.exit(e) == 0 ? 0 : 2;
  }
  if (run_command->parsed()) return run(run_with);
  return 2;
}

}  // namespace gantry::cli
