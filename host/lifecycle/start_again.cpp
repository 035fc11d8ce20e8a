// Plugins whose store, or bus, could not be reached when they were to start: they are started once it can.
#include <algorithm>
#include <utility>

#include "lifecycle/plugin_set.hpp"
#include "observability/log.hpp"

namespace gantry::lifecycle {

using observability::log_error;
using observability::log_info;
using observability::log_warn;

void plugin_set::begin_starting_again() {
  const auto waits = [](const auto& e) { return e->waits; };
  const std::lock_guard lock(mutex_);
  if (std::ranges::none_of(entries_, waits)) return;
  for (const auto& e : entries_)
    if (e->waits)
      log_warn("A plugin waits for what can't be reached; it is started when that is there.",
               {{"plugin", e->id}, {"reason", e->error}});
  starter_ = std::thread([this] { start_again(); });
}

void plugin_set::end_starting_again() {
  {
    const std::lock_guard lock(starting_mutex_);
    starting_ends_ = true;
  }
  starting_wake_.notify_all();
  if (starter_.joinable()) starter_.join();
}

void plugin_set::start_again() {
  auto pause = parts_.first_store_pause;
  std::unique_lock lock(starting_mutex_);
  while (!starting_wake_.wait_for(lock, pause, [this] { return starting_ends_; })) {
    lock.unlock();
    std::size_t left = 0;
    const auto begun = try_waiting(left);
    lock.lock();
    if (left == 0) return;
    // Where one store has come the others are near.
    pause = begun != 0 ? parts_.first_store_pause : std::min(pause * 2, parts_.longest_store_pause);
  }
}

// Returns how many do not wait any more; `left`: how many still do.
std::size_t plugin_set::try_waiting(std::size_t& left) {
  std::vector<std::string> all;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& e : entries_)
      if (e->waits) all.push_back(e->id);
  }
  std::size_t done = 0;
  for (const auto& plugin : all) {
    // An operator's change goes first; afterwards it may not wait any more.
    const std::unique_lock one(changing_, std::try_to_lock);
    if (!one || still_waits(plugin)) {
      ++left;
    } else {
      ++done;
    }
  }
  return done;
}

// With changing_ held. The store is asked before any code is loaded, so a long outage costs a connection now and then.
bool plugin_set::still_waits(const std::string& plugin) {
  shared_topology by;
  bool has_store = false;
  {
    const std::lock_guard lock(mutex_);
    const auto* const e = find_entry(plugin);
    if (e == nullptr || !e->waits) return false;
    by = e->model;
    // What failed behind its store, at the bus perhaps, has that open until it is ended: nobody else could open it.
    has_store = e->running != nullptr;
  }
  const auto started = [&]() -> result<void> {
    if (!has_store)
      if (auto there = parts_.open_store(*by, plugin); !there) return there.failure();
    return bring(plugin, by, {}, false);
  }();
  if (started) {
    log_info("A plugin was started: what it waited for can be reached.", {{"plugin", plugin}});
    return false;
  }
  const auto& why = started.failure();
  const std::lock_guard lock(mutex_);
  auto* const e = find_entry(plugin);
  if (e == nullptr) return false;
  e->error = why.text;
  e->waits = why.code == errc::unavailable;
  if (!e->waits) log_error("A plugin did not start.", {{"plugin", plugin}, {"error", why.text}});
  return e->waits;
}

}  // namespace gantry::lifecycle
