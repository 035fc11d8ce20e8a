#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <string>

#include "app/host_process.hpp"
#include "cli/commands.hpp"
#include "loader/discover.hpp"
#include "observability/log.hpp"

namespace gantry::cli {
namespace {

std::string joined(const std::vector<std::string>& words) {
  std::string out;
  for (const auto& w : words) out.append(out.empty() ? "" : " ").append(w);
  return out.empty() ? "-" : out;
}

std::string cell(std::string text, std::size_t width) {
  if (text.size() < width) text.append(width - text.size(), ' ');
  return text + "  ";
}

void print_table(const std::vector<lifecycle::plugin_row>& rows) {
  std::size_t store = 5;
  for (const auto& r : rows) store = std::max(store, r.store.size());
  std::string out = cell("plugin", 13) + cell("version", 8) + cell("state", 8) + cell("routes", 6) + cell("store", store) + "topics\n";
  for (const auto& r : rows) {
    out += cell(r.id, 13) + cell(r.version.empty() ? "-" : r.version, 8) + cell(r.state, 8) +
           cell(std::to_string(r.routes), 6) + cell(r.store.empty() ? "-" : r.store, store);
    out += r.error.empty() ? "in: " + joined(r.consumes) + "  out: " + joined(r.emits) : r.error;
    out += "\n";
  }
  std::fputs(out.c_str(), stderr);
}

// Waits until a person or the system asks to end. The signals are blocked in every thread.
void wait_for_end() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  int which = 0;
  sigwait(&set, &which);
}

void block_signals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGPIPE);
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
}

}  // namespace

int run(const run_arguments& arguments) {
  block_signals();
  observability::log_options log;
  const auto level = observability::parse_level(arguments.log_level);
  if (!level) {
    std::fprintf(stderr, "gantry: --log-level: %s\n", level.failure().text.c_str());
    return 2;
  }
  log.threshold = *level;
  if (arguments.json) log.format = observability::log_format::json;
  auto checked = loader::validate_file(arguments.topology);
  for (const auto& p : checked.problems) std::fprintf(stderr, "%s\n", topology::to_text(p).c_str());
  // A plugin whose own file is bad is left out, named, and the others run; anything else concerns the whole.
  const bool fatal = std::any_of(checked.problems.begin(), checked.problems.end(), [](const topology::problem& p) {
    return p.level == topology::severity::error && p.plugin.empty();
  });
  if (fatal) return 1;

  observability::open_log(log);
  const auto started = system_clock().steady_us();
  app::host_options options;
  options.host = arguments.host;
  auto host = app::host_process::start(checked.model, options);
  if (!host) {
    observability::close_log();
    std::fprintf(stderr, "gantry: %s\n", host.failure().text.c_str());
    return 1;
  }
  const auto rows = (*host)->plugins().rows();
  const auto took_ms = (system_clock().steady_us() - started) / 1000;
  observability::flush_log();
  if (!arguments.json) {
    print_table(rows);
    std::fprintf(stderr, "\nready in %lld ms at http://%s   (try: curl http://%s/health/ready)\n",
                 static_cast<long long>(took_ms), (*host)->address().c_str(), (*host)->address().c_str());
  }
  observability::log_info("The host is ready.", {{"address", (*host)->address()}, {"ms", std::to_string(took_ms)}});
  wait_for_end();
  observability::log_info("The host drains.");
  if (!(*host)->drain_and_stop(std::chrono::milliseconds(arguments.drain_timeout_ms))) {
    observability::log_error("Some work has not ended; the process ends without it. What was committed is kept.");
    observability::flush_log();
    // Threads are inside plugin code: to join or unmap anything would wait for them, or pull their code away.
    _exit(1);
  }
  observability::log_info("The host has stopped.");
  host->reset();
  observability::close_log();
  return 0;
}

}  // namespace gantry::cli
