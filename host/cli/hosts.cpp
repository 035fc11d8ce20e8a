#include "cli/hosts.hpp"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <filesystem>

#include "observability/log.hpp"
#include "supervisor/supervisor.hpp"

namespace gantry::cli {
namespace {

constexpr auto beyond_draining = std::chrono::seconds(10);

std::string program_path() {
  std::error_code failed;
  const auto path = std::filesystem::read_symlink("/proc/self/exe", failed);
  return failed ? "gantry" : path.string();
}

void print(std::string_view lines) {
  while (!lines.empty()) {
    const auto put = write(STDERR_FILENO, lines.data(), lines.size());
    if (put <= 0) return;
    lines.remove_prefix(static_cast<std::size_t>(put));
  }
}

}  // namespace

std::string machine_name() {
  std::array<char, 256> name{};
  return gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "";
}

std::vector<std::string> local_hosts(const topology::topology& model, const std::string& machine) {
  std::vector<std::string> out;
  for (const auto& [name, host] : model.hosts)
    if (host.machine->empty() || *host.machine == machine) out.push_back(name);
  std::ranges::stable_partition(out, [&](const std::string& name) { return name == *model.bus.owner; });
  return out;
}

std::vector<std::string> command_of(const run_arguments& arguments, const std::string& program, const std::string& host,
                                    bool terminal) {
  std::vector<std::string> out = {
      program, "run",         "--topology",        arguments.topology,   "--host",
      host,    "--log-level", arguments.log_level, "--drain-timeout-ms", std::to_string(arguments.drain_timeout_ms)};
  if (arguments.json) out.emplace_back("--json");
  // It writes into a pipe; whether a person reads is known here.
  if (arguments.text || (terminal && !arguments.json)) out.emplace_back("--text");
  return out;
}

int run_all(const run_arguments& arguments, const topology::topology& model, const std::vector<std::string>& hosts) {
  const auto program = program_path();
  supervisor::family all;
  all.patience = std::chrono::milliseconds(arguments.drain_timeout_ms) + beyond_draining;
  all.out = print;
  for (const auto& name : hosts) {
    supervisor::member one;
    one.name = name;
    one.arguments = command_of(arguments, program, name, isatty(STDERR_FILENO) == 1);
    const auto& restart = model.hosts.at(name).restart;
    one.limits.max_restarts = *restart.max_restarts;
    one.limits.window_us = restart.window->count();
    one.ends_last = name == *model.bus.owner;
    one.waits_for_signals = true;
    all.members.push_back(std::move(one));
  }
  const bool good = supervisor::run(all);
  if (good) observability::log_info("All hosts have stopped.");
  observability::close_log();
  return good ? 0 : 1;
}

}  // namespace gantry::cli
