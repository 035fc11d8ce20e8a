#include "cli/follower.hpp"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <utility>

#include "lifecycle/loading.hpp"
#include "loader/inspect.hpp"
#include "observability/log.hpp"

namespace gantry::cli {
namespace {

using observability::log_error;
using observability::log_info;
using observability::log_warn;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

// A build writes a library more than once: first the linker, then what adds the manifest. It is taken once it has been
// quiet for so long, and called broken only when nothing has made it whole for longer.
constexpr milliseconds quiet{60};
constexpr milliseconds broken_after{1'500};
constexpr milliseconds try_again{20};
constexpr milliseconds try_again_when_away{1'000};
constexpr milliseconds look_for_lost{200};
// A developer looks at what was built: there is no need to watch it for the time that the topology gives to a swap.
constexpr milliseconds probation{200};

std::string normal(const std::string& path) {
  std::error_code failed;
  const auto whole = std::filesystem::absolute(path, failed);
  return failed ? path : whole.lexically_normal().string();
}

std::optional<std::string> text_of(const std::string& file) {
  std::ifstream in(file, std::ios::binary);
  if (!in) return std::nullopt;
  return std::string(std::istreambuf_iterator<char>(in), {});
}

}  // namespace

follower::follower(app::host_process& host, options what)
    : host_(host), what_{normal(what.file), what.whole, what.watch}, wake_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  if (what_.watch) {
    inotify_ = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    if (inotify_ < 0) log_error("Files can't be watched.", {{"error", std::strerror(errno)}});
    watch_folders();
    // What was built while the host started.
    for (const auto& file : host_.plugins().files())
      if (file.error.empty()) rebuilt_[file.id] = {};
  }
  thread_ = std::thread([this] { run(); });
}

follower::~follower() {
  ending_ = true;
  eventfd_write(wake_, 1);
  host_.changes().end();
  thread_.join();
  if (inotify_ >= 0) close(inotify_);
  close(wake_);
}

void follower::reload() {
  asked_ = true;
  eventfd_write(wake_, 1);
}

// The folders of all that may change. A file that is replaced has another inode, its folder has not.
void follower::watch_folders() {
  if (inotify_ < 0) return;
  const auto model = host_.plugins().model();
  libraries_.clear();
  std::set<std::string> wanted;
  for (const auto& file : host_.plugins().files()) {
    if (!model->plugins.contains(file.id)) continue;
    for (const auto& path : topology::find_library(*model, file.id, [](const std::string&) { return false; }).tried) {
      libraries_.emplace(normal(path), file.id);
      wanted.insert(std::filesystem::path(normal(path)).parent_path().string());
    }
  }
  if (what_.whole) wanted.insert(std::filesystem::path(what_.file).parent_path().string());
  for (const auto& folder : wanted) {
    // One that is watched already keeps its number.
    const int number = inotify_add_watch(inotify_, folder.c_str(),
                                         IN_CLOSE_WRITE | IN_MOVED_TO | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR);
    if (number >= 0) folders_[number] = folder;
    if (number < 0 && !lost_.contains(folder) && unwatched_.insert(folder).second)
      log_warn("A folder can't be watched; what is built there is not taken.",
               {{"folder", folder}, {"error", std::strerror(errno)}});
  }
}

// A clean build makes its folder anew.
void follower::lose(int watch) {
  const auto found = folders_.find(watch);
  if (found == folders_.end()) return;
  log_warn("A watched folder went away; it is watched again once it is back.", {{"folder", found->second}});
  lost_.insert(found->second);
  folders_.erase(found);
  inotify_rm_watch(inotify_, watch);  // one that was moved away is still watched, under its new name
}

void follower::find_lost() {
  const auto lost = lost_;
  watch_folders();
  for (const auto& [number, folder] : folders_) lost_.erase(folder);
  const auto now = steady_clock::now();
  for (const auto& folder : lost) {
    if (lost_.contains(folder)) continue;
    log_info("A folder is watched again.", {{"folder", folder}});
    // What was built there meanwhile.
    if (std::filesystem::path(what_.file).parent_path() == folder) take(what_.file, now);
    for (const auto& [path, plugin] : libraries_)
      if (std::filesystem::path(path).parent_path() == folder) rebuilt_[plugin] = {now};
  }
}

void follower::run() {
  while (!ending_) {
    std::array<pollfd, 2> on = {{{wake_, POLLIN, 0}, {inotify_, POLLIN, 0}}};
    poll(on.data(), inotify_ >= 0 ? 2 : 1, wait_ms(steady_clock::now()));
    eventfd_t count = 0;
    eventfd_read(wake_, &count);
    if (ending_) return;
    if (inotify_ >= 0) read_events();
    if (!lost_.empty()) find_lost();
    const auto now = steady_clock::now();
    if (asked_.exchange(false) || (topology_changed_ && now >= topology_due_)) bring_topology();
    renew_due(steady_clock::now());
  }
}

int follower::wait_ms(time_point now) const {
  auto until = time_point::max();
  if (topology_changed_) until = topology_due_;
  if (!lost_.empty()) until = std::min(until, now + look_for_lost);
  for (const auto& [plugin, build] : rebuilt_)
    until = std::min(until, now < build.last + quiet ? build.last + quiet : now + try_again);
  if (until == time_point::max()) return -1;
  const auto left = std::chrono::duration_cast<milliseconds>(until - now).count() + 1;
  return static_cast<int>(std::clamp<std::int64_t>(left, 0, 60'000));
}

void follower::read_events() {
  alignas(inotify_event) std::array<char, 16 * 1024> buffer;
  for (;;) {
    const auto got = read(inotify_, buffer.data(), buffer.size());
    if (got <= 0) return;
    const auto now = steady_clock::now();
    for (std::size_t at = 0; at < static_cast<std::size_t>(got);) {
      inotify_event event{};
      std::memcpy(&event, buffer.data() + at, sizeof event);
      if ((event.mask & IN_Q_OVERFLOW) != 0) take_all(now);
      if ((event.mask & (IN_DELETE_SELF | IN_MOVE_SELF | IN_IGNORED | IN_UNMOUNT)) != 0) lose(event.wd);
      const auto folder = folders_.find(event.wd);
      if (folder != folders_.end() && event.len != 0)
        take(folder->second + "/" + std::string(buffer.data() + at + sizeof event), now);
      at += sizeof event + event.len;
    }
  }
}

void follower::take(const std::string& path, time_point now) {
  if (what_.whole && path == what_.file) {
    topology_changed_ = true;
    topology_due_ = now + quiet;
  }
  if (const auto found = libraries_.find(path); found != libraries_.end()) rebuilt_[found->second] = {now};
}

// Which files have changed is not known: whatever has not will be found to run already.
void follower::take_all(time_point now) {
  log_warn("So many files have changed that some were missed; all plugins and the topology are looked at.");
  take(what_.file, now);
  for (const auto& [path, plugin] : libraries_) rebuilt_[plugin] = {now};
}

void follower::bring_topology() {
  topology_changed_ = false;
  if (!what_.whole) return;
  const auto text = text_of(what_.file);
  if (!text) {
    log_error("The topology can't be read; nothing changes.", {{"file", what_.file}});
    return;
  }
  if (!std::exchange(waits_, true)) log_info("The topology is read again.", {{"file", what_.file}});
  const auto end = host_.changes().reload(*text, what_.file, [](const std::string& line) {
    log_info("A step of the new topology.", {{"step", line}});
  });
  const auto why = end ? errc::internal : end.done.failure().code;
  const bool away = why == errc::unavailable && end.all_taken_back;
  if (away && !std::exchange(away_, true))
    log_warn("What the new topology needs can't be reached now; it is tried again until it can.",
             {{"error", end.done.failure().text}});
  // Somebody else changes the host, or its bus is away for a moment, with the host that owns it perhaps.
  if (why == errc::conflict || away) {
    topology_changed_ = true;
    topology_due_ = steady_clock::now() + (away ? try_again_when_away : try_again);
    return;
  }
  away_ = false;
  waits_ = false;
  if (end) {
    log_info("The host runs the topology as it is now.");
  } else if (end.all_taken_back) {
    log_error("The new topology was not taken; what ran goes on.", {{"error", end.done.failure().text}});
  } else {
    log_error("The new topology was not taken, and not all of it could be taken back.",
              {{"error", end.done.failure().text}});
  }
  watch_folders();
}

void follower::renew_due(time_point now) {
  for (auto at = rebuilt_.begin(); at != rebuilt_.end() && !ending_;) {
    const auto& [plugin, build] = *at;
    if (now < build.last + quiet) {
      ++at;
      continue;
    }
    const auto library = lifecycle::library_of(*host_.plugins().model(), plugin);
    const auto whole = library ? loader::read_manifest(*library) : result<loader::manifest>(library.failure());
    if (!whole && now < build.last + broken_after) {
      ++at;
      continue;
    }
    const auto name = plugin;
    at = rebuilt_.erase(at);
    if (!whole) {
      log_error("A rebuilt plugin can't be used; the one that runs goes on.",
                {{"plugin", name}, {"error", whole.failure().text}});
      continue;
    }
    const auto done = host_.changes().swap_if_rebuilt(name, probation);
    if (!done && done.failure().code == errc::conflict) {
      rebuilt_[name] = {steady_clock::now()};
      return;
    }
    if (!done) {
      log_error("A rebuilt plugin was not taken; the one that runs goes on.",
                {{"plugin", name}, {"error", done.failure().text}});
    } else if (!done->empty()) {
      log_info("A rebuilt plugin runs.", {{"plugin", name}, {"now", *done}});
    }
  }
}

}  // namespace gantry::cli
