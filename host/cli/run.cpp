#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <initializer_list>
#include <iterator>
#include <memory>
#include <optional>
#include <string>

#include "app/host_process.hpp"
#include "blackbox/crash.hpp"
#include "blackbox/stack.hpp"
#include "cli/commands.hpp"
#include "cli/deaths.hpp"
#include "cli/follower.hpp"
#include "cli/hosts.hpp"
#include "cli/processes.hpp"
#include "loader/discover.hpp"
#include "observability/log.hpp"
#include "plan/applied.hpp"
#include "supervisor/post_mortem.hpp"
#include "supervisor/quarantine.hpp"
#include "supervisor/supervisor.hpp"
#include "topology/isolation.hpp"

namespace gantry::cli {
namespace {

// What a process that was killed may still need until its files and ports are free.
constexpr auto last_moments = std::chrono::seconds(2);

std::string joined(const std::vector<std::string>& words) {
  std::string out;
  for (const auto& w : words) out.append(out.empty() ? "" : " ").append(w);
  return out.empty() ? "-" : out;
}

std::string cell(std::string text, std::size_t width) {
  if (text.size() < width) text.append(width - text.size(), ' ');
  return text + "  ";
}

// `confined`: plugins of this host that run apart from it in quarantine.
void print_table(const std::vector<lifecycle::plugin_row>& rows,
                 const std::vector<supervisor::confined_plugin>& confined) {
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
  for (const auto& c : confined)
    out += cell(c.plugin, 13) + cell("-", 8) + cell("apart", 8) + cell("-", 6) + cell("-", store) +
           "quarantined: " + c.why + "\n";
  std::fputs(out.c_str(), stderr);
}

sigset_t signals_of(std::initializer_list<int> which) {
  sigset_t set;
  sigemptyset(&set);
  for (const int one : which) sigaddset(&set, one);
  return set;
}

// Waits until a person or the system asks to end. The signals are blocked in every thread.
void wait_for_end(follower& changes) {
  const auto set = signals_of({SIGTERM, SIGINT, SIGHUP});
  for (int which = 0;;) {
    sigwait(&set, &which);
    if (which != SIGHUP) return;
    changes.reload();
  }
}

// Whether wait_for_end() would return at once.
bool asked_to_end() {
  sigset_t waiting;
  sigpending(&waiting);
  return sigismember(&waiting, SIGTERM) == 1 || sigismember(&waiting, SIGINT) == 1;
}

// Those that a host waits for, and the one of a reader who has gone.
void block_host_signals() {
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

void say(const std::vector<topology::problem>& problems) {
  for (const auto& p : problems) std::fprintf(stderr, "%s\n", topology::to_text(p).c_str());
}

// Of this process, until its last moment: what runs in it then must still be noted. conflict: another process runs this
// host, on the same state.
result<blackbox::box*> open_box(const topology::topology& model, const std::string& process) {
  const auto path = supervisor::box_path(*model.state, process);
  auto made = blackbox::box::open_within(
      path, last_moments,
      [&] {
        observability::log_info("Another process still runs this host, or is about to end.", {{"host", process}});
      },
      asked_to_end);
  if (!made && made.failure().code == errc::conflict)
    return error{errc::conflict, "another process runs " + process + ": it has " + path.string() +
                                     "; stop that one, or give this one another `state` and `path`"};
  if (!made)
    observability::log_warn("There is no black box: should the process die, nobody will know whose doing it was.",
                            {{"error", made.failure().text}});
  auto* const out = (made ? std::move(*made) : blackbox::box::in_memory()).release();
  blackbox::note_ends(*out);
  blackbox::answer_stack_questions();
  return out;
}

// The exit code of a host that has not started.
int refused(const error& why) {
  observability::close_log();
  if (asked_to_end()) return 0;
  std::fprintf(stderr, "gantry: %s\n", why.text.c_str());
  return 1;
}

// What a host runs, and of which file that is.
struct chosen_topology {
  std::string file_text;
  std::string text;
  std::optional<plan::applied_topology> applied;  // the note that says so; nothing: it is the file that counts
};

// The topology file, or what was applied to the host since, as long as the file is what it was then. A plugin's process
// that is started again while its host lives on runs what the host runs, whatever has become of the file. `state`: that
// host's state directory; empty: as the file says.
chosen_topology choose_topology(const std::string& file, const std::string& host, const std::string& state) {
  std::ifstream in(file, std::ios::binary);
  chosen_topology out;
  out.file_text.assign(std::istreambuf_iterator<char>(in), {});
  out.text = out.file_text;
  if (host.empty()) return out;
  const auto process = topology::split_process(host);
  const auto read = topology::parse_topology(out.file_text, file, topology::process_env);
  auto applied = plan::read_applied(state.empty() ? *read.model.state : state, process.host);
  const bool host_runs_it = !process.plugin.empty() && applied && applied->by_who_lives;
  if (applied && (host_runs_it || applied->file_digest == plan::digest_of_text(out.file_text))) {
    out.text = applied->text;
    out.applied = std::move(applied);
  }
  return out;
}

// What a process of a host would start with now. Nothing: it can't be read, or the host would not start with it.
std::optional<topology::topology> topology_to_start(const std::string& file, const std::string& process,
                                                    const std::string& state) {
  const auto chosen = choose_topology(file, process, state);
  auto read = topology::parse_topology(chosen.text, file, topology::process_env);
  if (std::any_of(read.problems.begin(), read.problems.end(), fatal)) return std::nullopt;
  return std::move(read.model);
}

// By the process that has the host's black box, and before it can be asked for changes: what another one or they have
// noted must not be written over.
void note_choice(const chosen_topology& chosen, const topology::topology& model, const std::string& host,
                 const std::string& file) {
  auto note =
      chosen.applied.value_or(plan::applied_topology{{}, plan::digest_of_text(chosen.file_text), chosen.text, {}, {}});
  note.file = file;
  std::error_code unknown;
  if (std::filesystem::exists(plan::applied_note(*model.state, host), unknown) &&
      !plan::read_applied(*model.state, host))
    observability::log_warn("What was applied to the host can't be read; its topology file counts.",
                            {{"note", plan::applied_note(*model.state, host).string()}});
  if (auto done = plan::write_applied(*model.state, host, note); !done)
    observability::log_warn("What the host runs could not be noted; `gantry plan` may not find it.",
                            {{"error", done.failure().text}});
  if (chosen.text != chosen.file_text)
    observability::log_warn("The host runs a topology that was applied to it, not that of its file.",
                            {{"file", file}, {"applied", plan::digest_of_text(chosen.text)}});
}

// A host that runs without some of its plugins is nothing to pass over.
void say_ready(const std::vector<lifecycle::plugin_row>& rows, const std::string& address, std::int64_t took_ms) {
  std::string names;
  std::size_t failed = 0;
  for (const auto& row : rows) {
    if (row.error.empty()) continue;
    names += (failed++ == 0 ? "" : ", ") + row.id;
  }
  const auto ms = std::to_string(took_ms);
  if (failed == 0) {
    observability::log_info("The host is ready.", {{"address", address}, {"ms", ms}});
    return;
  }
  const auto without = std::to_string(failed) + " of " + std::to_string(rows.size()) + " plugins failed: " + names;
  observability::log_warn("The host is ready.", {{"address", address}, {"ms", ms}, {"without", without}});
}

// Until SIGTERM or SIGINT. `watched`: what ends with start_anew is started again.
int run_here(const run_arguments& arguments, const topology::topology& model, const std::string& name,
             app::host_family family, const chosen_topology& chosen, bool watched) {
  asked_end asked;
  const auto started = system_clock().steady_us();
  const auto opened = open_box(model, name);
  if (!opened) return refused(opened.failure());
  auto& box = **opened;
  const auto ends = [&](int code) {
    box.end_in_order(code);
    return code;
  };
  app::host_options options;
  options.host = name;
  options.box = &box;
  options.deadly = deadly_work_of(model, topology::split_process(name).host);
  options.family = std::move(family);
  options.asked_to_end = asked_to_end;
  options.end = [&asked](std::chrono::milliseconds within) {
    asked.within(within);
    kill(getpid(), SIGTERM);
  };
  options.topology_file = std::filesystem::absolute(arguments.topology).lexically_normal().string();
  options.topology_text = chosen.text;
  const auto process = topology::split_process(name);
  const auto bound = bound_process(model, name, arguments, box);
  if (watched && process.plugin.empty())
    options.restart = [&asked] {
      asked.anew();
      kill(getpid(), SIGTERM);
    };
  if (process.plugin.empty() && model.hosts.contains(process.host))
    note_choice(chosen, model, process.host, options.topology_file);
  auto host = app::host_process::start(model, options);
  if (!host) return ends(refused(host.failure()));
  const auto rows = (*host)->plugins().rows();
  const auto took_ms = (system_clock().steady_us() - started) / 1000;
  observability::flush_log();
  if (!arguments.json) {
    const auto known = supervisor::read_quarantine(supervisor::quarantine_path(*model.state, process.host));
    const bool own = process.plugin.empty() && known;
    print_table(rows, own ? known->plugins : std::vector<supervisor::confined_plugin>{});
    const auto home = model.hosts.find(name);
    const bool tls = home != model.hosts.end() && home->second.tls.given;
    const auto url = (tls ? "https://" : "http://") + (*host)->address();
    std::fprintf(stderr, "\nready in %lld ms at %s   (try: curl %s/health/ready)\n", static_cast<long long>(took_ms),
                 url.c_str(), url.c_str());
  }
  auto changes = std::make_unique<follower>(
      **host, follower::options{options.topology_file, process.plugin.empty(), arguments.watch});
  say_ready(rows, (*host)->address(), took_ms);
  wait_for_end(*changes);
  changes.reset();
  observability::log_info("The host drains.");
  if (!(*host)->drain_and_stop(asked.time_to_drain(std::chrono::milliseconds(arguments.drain_timeout_ms)))) {
    observability::log_error("Some work has not ended; the process ends without it. What was committed is kept.");
    observability::flush_log();
    // Threads are inside plugin code: to join or unmap anything would wait for them, or pull their code away.
    _exit(ends(asked.code(false)));
  }
  observability::log_info("The host has stopped.");
  host->reset();
  observability::close_log();
  return ends(asked.code(true));
}

}  // namespace

int run(const run_arguments& arguments) {
  // By the path that it was started with its name in the system would be "exe".
  prctl(PR_SET_NAME, "gantry");
  block_host_signals();
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
  const auto inner = read_inner(arguments.inner);
  if (!inner) {
    std::fprintf(stderr, "gantry: %s\n", inner.failure().text.c_str());
    return 2;
  }
  auto parsed = topology::load_topology(arguments.topology);
  const bool readable = std::none_of(parsed.problems.begin(), parsed.problems.end(), fatal);
  const auto open_log = [&log] { observability::open_log(log); };
  // Looks at the plugins' files too; then this process is the host.
  const auto be = [&](const std::string& process, bool says, const topology::inner_addresses& with) {
    const auto chosen = choose_topology(arguments.topology, process, arguments.state);
    if (chosen.text != chosen.file_text)
      parsed = topology::parse_topology(chosen.text, arguments.topology, topology::process_env);
    const auto checked = loader::validate(std::move(parsed));
    // A plugin whose own file is bad is left out, named, and the others run; anything else concerns the whole.
    const bool hopeless = std::any_of(checked.problems.begin(), checked.problems.end(), fatal);
    if (says || hopeless) say(checked.problems);
    if (hopeless) return 1;
    open_log();
    const bool watched = is_watched();
    auto key = take_key();
    return run_here(arguments, checked.model, process, {with, std::move(key)}, chosen, watched);
  };
  // Several hosts each say what they find; of one host's processes its own does.
  if (!inner->empty()) return be(arguments.host, topology::split_process(arguments.host).plugin.empty(), *inner);
  const auto hosts = arguments.host.empty() ? local_hosts(parsed.model, machine_name()) : std::vector{arguments.host};
  if (readable && hosts.empty()) {
    std::fprintf(stderr, "gantry: no host of %s has machine %s, this one's name; say which to run with --host\n",
                 arguments.topology.c_str(), machine_name().c_str());
    return 1;
  }
  if (!readable || (hosts.size() == 1 && !arguments.supervised))
    return be(hosts.empty() ? "" : hosts.front(), true, {});

  const auto model = parsed.model;
  process_plan plan(arguments, model, hosts);
  const auto now = [&](const std::string& process, const std::string& state) {
    return topology_to_start(arguments.topology, process, state);
  };
  deaths what_follows(now, plan, hosts, open_log);
  auto members = what_follows.members();
  if (!members) {
    std::fprintf(stderr, "gantry: %s\n", members.failure().text.c_str());
    return 1;
  }
  supervisor::block_signals();
  if (members->size() == 1) {
    // It has read the topology by now: a copy of it starts sooner than the program would.
    members->front().first_life = [&] {
      block_host_signals();
      return be(hosts.front(), true, {});
    };
  } else {
    const auto checked = loader::validate(std::move(parsed));
    const bool hopeless = std::any_of(checked.problems.begin(), checked.problems.end(), fatal);
    if (hopeless) {
      say(checked.problems);
      return 1;
    }
    open_log();
  }
  return run_all(arguments, std::move(*members), what_follows);
}

}  // namespace gantry::cli
