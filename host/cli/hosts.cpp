#include "cli/hosts.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>
#include <string_view>

#include "cli/processes.hpp"
#include "observability/log.hpp"
#include "supervisor/supervisor.hpp"

namespace gantry::cli {
namespace {

constexpr auto beyond_draining = std::chrono::seconds(10);

// For who reads the output, once all has ended.
constexpr auto last_words = std::chrono::seconds(1);

void say_dropped(std::uint64_t lines) {
  observability::log_warn("Lines of the hosts were dropped because nobody read them.",
                          {{"lines", std::to_string(lines)}});
}

// Of what this process has run so far it will need little again: the pages of its code come back from the files that
// they are of, when they are asked for.
void give_code_back() {
  std::ifstream in("/proc/self/maps");
  for (std::string line; std::getline(in, line);) {
    char* end = nullptr;
    const auto first = std::strtoull(line.c_str(), &end, 16);
    if (*end != '-') continue;
    const auto last = std::strtoull(end + 1, &end, 16);
    if (std::string_view(end).starts_with(" r-xp ") && line.find(" /") != std::string::npos)
      madvise(reinterpret_cast<void*>(first), last - first, MADV_DONTNEED);
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

int run_all(const run_arguments& arguments, std::vector<supervisor::member> members, deaths& what_follows) {
  supervisor::family all;
  all.patience = std::chrono::milliseconds(arguments.drain_timeout_ms) + beyond_draining;
  supervisor::outlet lines(STDERR_FILENO, say_dropped);
  all.room = &lines;
  all.out = [&lines](std::string_view text) { lines.put(text); };
  const bool several = members.size() > 1;
  all.members = std::move(members);
  all.after = [&](const supervisor::member& which, pid_t pid, const supervisor::exit_report& how) {
    return what_follows.after(which, pid, how);
  };
  all.started = give_code_back;
  give_key();
  const auto end = supervisor::run(all);
  if (end.good && several) observability::log_info("All hosts have stopped.");
  // The log would wait for the reader, too.
  if (!lines.finish(last_words)) _exit(end.code);
  observability::close_log();
  return end.code;
}

}  // namespace gantry::cli
