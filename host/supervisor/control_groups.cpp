#include "supervisor/control_groups.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cmath>
#include <cstring>
#include <fstream>
#include <sstream>

namespace gantry::supervisor {
namespace {

namespace fs = std::filesystem;

constexpr const char* own_leaf = "gantry";
constexpr std::uint64_t period_us = 100'000;

// The kernel takes a value by one write and says by that whether it is accepted.
result<void> put(const fs::path& file, const std::string& text) {
  const int to = open(file.c_str(), O_WRONLY | O_CLOEXEC);
  if (to < 0) return error{errc::io, file.string() + ": " + std::strerror(errno)};
  const auto written = write(to, text.data(), text.size());
  const int why = errno;
  close(to);
  if (written == static_cast<ssize_t>(text.size())) return {};
  return error{errc::io, file.string() + ": writing \"" + text + "\": " + std::strerror(why)};
}

std::string read_all(const fs::path& file) {
  std::ifstream in(file);
  std::ostringstream out;
  out << in.rdbuf();
  return out.str();
}

bool has_word(const std::string& text, const std::string& wanted) {
  std::istringstream words(text);
  for (std::string word; words >> word;)
    if (word == wanted) return true;
  return false;
}

result<void> make(const fs::path& directory) {
  std::error_code code;
  fs::create_directory(directory, code);
  if (code) return error{errc::io, directory.string() + ": " + code.message()};
  return {};
}

error not_ours(const std::string& why) { return {errc::unsupported, why}; }

}  // namespace

result<fs::path> own_control_group() {
  // Field 5 is the place, what follows " - " the type: `36 35 0:30 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw`.
  std::ifstream mounts("/proc/self/mountinfo");
  fs::path root;
  for (std::string line; std::getline(mounts, line);) {
    if (line.find(" - cgroup2 ") == std::string::npos) continue;
    std::istringstream fields(line);
    std::string field;
    for (int i = 0; i < 5; ++i) fields >> field;
    root = field;
    break;
  }
  std::ifstream groups("/proc/self/cgroup");
  for (std::string line; std::getline(groups, line);)
    if (line.starts_with("0::/") && !root.empty()) return root / fs::path(line.substr(4));
  return error{errc::not_found, "this system has no control groups of version 2"};
}

result<control_groups> control_groups::take(const fs::path& own) {
  const auto offered = read_all(own / "cgroup.controllers");
  for (const char* const needed : {"memory", "cpu"})
    if (!has_word(offered, needed))
      return not_ours(own.string() + " has no controller " + needed + "; it has \"" + offered.substr(0, 100) + "\"");
  const auto leaf = own / own_leaf;
  if (auto done = make(leaf); !done) return not_ours(done.failure().text);
  const auto back = [&](const error& why) {
    static_cast<void>(put(own / "cgroup.procs", "0"));
    std::error_code ignored;
    fs::remove(leaf, ignored);
    return not_ours(why.text);
  };
  if (auto done = put(leaf / "cgroup.procs", "0"); !done) return back(done.failure());
  if (auto done = put(own / "cgroup.subtree_control", "+memory +cpu"); !done) return back(done.failure());
  return control_groups(own);
}

result<fs::path> control_groups::limit(const std::string& process, const process_limits& to) const {
  const auto group = own_ / process;
  if (auto done = make(group); !done) return done.failure();
  // Without swap: a limit that makes the machine swap is none for the others.
  if (to.memory != 0) {
    static_cast<void>(put(group / "memory.swap.max", "0"));
    static_cast<void>(put(group / "memory.oom.group", "1"));
  }
  const auto cpu = to.cpu > 0 ? std::to_string(static_cast<std::uint64_t>(std::llround(to.cpu * period_us))) : "max";
  if (auto done = put(group / "memory.max", to.memory == 0 ? "max" : std::to_string(to.memory)); !done)
    return done.failure();
  if (auto done = put(group / "cpu.max", cpu + " " + std::to_string(period_us)); !done) return done.failure();
  return group;
}

result<void> join_control_group(const fs::path& group) { return put(group / "cgroup.procs", "0"); }

}  // namespace gantry::supervisor
