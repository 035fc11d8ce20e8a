#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <initializer_list>
#include <string>

#include "app/host_process.hpp"
#include "cli/commands.hpp"
#include "cli/hosts.hpp"
#include "loader/discover.hpp"
#include "observability/log.hpp"
#include "supervisor/supervisor.hpp"

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
  std::string out = cell("plugin", 13) + cell("version", 8) + cell("state", 8) + cell("routes", 6) +
                    cell("store", store) + "topics\n";
  for (const auto& r : rows) {
    out += cell(r.id, 13) + cell(r.version.empty() ? "-" : r.version, 8) + cell(r.state, 8) +
           cell(std::to_string(r.routes), 6) + cell(r.store.empty() ? "-" : r.store, store);
    out += r.error.empty() ? "in: " + joined(r.consumes) + "  out: " + joined(r.emits) : r.error;
    out += "\n";
  }
  std::fputs(out.c_str(), stderr);
}

sigset_t signals_of(std::initializer_list<int> which) {
  sigset_t set;
  sigemptyset(&set);
  for (const int one : which) sigaddset(&set, one);
  return set;
}

// Waits until a person or the system asks to end. The signals are blocked in every thread.
void wait_for_end() {
  const auto set = signals_of({SIGTERM, SIGINT, SIGHUP});
  for (int which = 0;;) {
    sigwait(&set, &which);
    if (which != SIGHUP) return;
    observability::log_warn("A running host does not read its topology again: start it anew to change it.");
  }
}

// Whether wait_for_end() would return at once.
bool asked_to_end() {
  sigset_t waiting;
  sigpending(&waiting);
  return sigismember(&waiting, SIGTERM) == 1 || sigismember(&waiting, SIGINT) == 1;
}

void block_signals() {
  const auto set = signals_of({SIGTERM, SIGINT, SIGHUP, SIGPIPE});
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
}

// What would end the process without a word. Beyond a limit of file sizes a write then fails, as on a full disk.
void ignore_signals() {
  struct sigaction ignored {};
  ignored.sa_handler = SIG_IGN;
  for (const int one : {SIGXFSZ, SIGUSR1, SIGUSR2, SIGALRM, SIGVTALRM, SIGIO}) sigaction(one, &ignored, nullptr);
}

bool fatal(const topology::problem& p) { return p.level == topology::severity::error && p.plugin.empty(); }

// Until SIGTERM or SIGINT.
int run_here(const run_arguments& arguments, const topology::topology& model, const std::string& name) {
  const auto started = system_clock().steady_us();
  app::host_options options;
  options.host = name;
  options.asked_to_end = asked_to_end;
  auto host = app::host_process::start(model, options);
  if (!host) {
    observability::close_log();
    if (asked_to_end()) return 0;
    std::fprintf(stderr, "gantry: %s\n", host.failure().text.c_str());
    return 1;
  }
  const auto rows = (*host)->plugins().rows();
  const auto took_ms = (system_clock().steady_us() - started) / 1000;
  observability::flush_log();
  if (!arguments.json) {
    print_table(rows);
    const auto url = (model.hosts.at(name).tls.given ? "https://" : "http://") + (*host)->address();
    std::fprintf(stderr, "\nready in %lld ms at %s   (try: curl %s/health/ready)\n", static_cast<long long>(took_ms),
                 url.c_str(), url.c_str());
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

}  // namespace

int run(const run_arguments& arguments) {
  block_signals();
  ignore_signals();
  observability::log_options log;
  const auto level = observability::parse_level(arguments.log_level);
  if (!level) {
    std::fprintf(stderr, "gantry: --log-level: %s\n", level.failure().text.c_str());
    return 2;
  }
  log.threshold = *level;
  if (arguments.json) log.format = observability::log_format::json;
  if (arguments.text) log.format = observability::log_format::text;
  auto checked = loader::validate_file(arguments.topology);
  // A plugin whose own file is bad is left out, named, and the others run; anything else concerns the whole.
  const bool hopeless = std::any_of(checked.problems.begin(), checked.problems.end(), fatal);
  const auto hosts = arguments.host.empty() ? local_hosts(checked.model, machine_name()) : std::vector{arguments.host};
  // Several hosts each say what they find.
  if (hopeless || hosts.size() < 2)
    for (const auto& p : checked.problems) std::fprintf(stderr, "%s\n", topology::to_text(p).c_str());
  if (hopeless) return 1;
  if (hosts.empty()) {
    std::fprintf(stderr, "gantry: no host of %s has machine %s, this one's name; say which to run with --host\n",
                 arguments.topology.c_str(), machine_name().c_str());
    return 1;
  }
  if (hosts.size() > 1) supervisor::block_signals();
  observability::open_log(log);
  return hosts.size() == 1 ? run_here(arguments, checked.model, hosts.front())
                           : run_all(arguments, checked.model, hosts);
}

}  // namespace gantry::cli
