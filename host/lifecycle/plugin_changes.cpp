// Plugins that come and go while the others work.
#include <algorithm>
#include <thread>
#include <utility>

#include "jobs/job_board.hpp"
#include "lifecycle/generation_pointer.hpp"
#include "lifecycle/loading.hpp"
#include "lifecycle/plugin_set.hpp"
#include "loader/file_image.hpp"
#include "observability/log.hpp"

namespace gantry::lifecycle {
namespace {

using observability::log_info;

constexpr std::chrono::milliseconds look_every{1};

}  // namespace

shared_topology plugin_set::model() const {
  const std::lock_guard lock(mutex_);
  return model_;
}

void plugin_set::adopt(shared_topology by) {
  const std::lock_guard lock(mutex_);
  for (auto& e : entries_)
    if (by->plugins.contains(e->id)) e->model = by;
  model_ = std::move(by);
}

std::vector<plugin_file> plugin_set::files() const {
  std::vector<plugin_file> out;
  const std::lock_guard lock(mutex_);
  for (const auto& e : entries_) {
    auto& one = out.emplace_back();
    one.id = e->id;
    one.error = e->error;
    if (!e->file) continue;
    one.promised = e->file->promised();
    one.version = one.promised.version;
    one.generation = e->file->generation();
    one.digest = e->file->digest();
    one.copy = e->file->copy();
  }
  return out;
}

// With mutex_ held.
plugin_set::entry* plugin_set::find_entry(const std::string& plugin) const {
  for (const auto& e : entries_)
    if (e->id == plugin) return e.get();
  return nullptr;
}

// Its routes have to be free: publish_routes() would leave it out in silence.
result<void> plugin_set::routes_fit(const entry& newcomer) {
  runtime::route_table table;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& e : entries_)
      if (e->running && !e->leaving)
        if (auto done = table.add(e->running); !done) return done;
  }
  if (parts_.add_apart) parts_.add_apart(table);
  return table.add(newcomer.running);
}

// A restart comes up with this file, as long as the library is what it is now.
result<void> plugin_set::note_file(const entry& e) {
  std::string digest;
  if (const auto library = library_of(*e.model, e.id))
    if (const auto image = loader::read_image(*library)) digest = loader::digest_of(*image);
  return write_pointer(*e.model->state, e.id, parts_.home,
                       {e.file->generation(), e.file->copy(), e.file->digest(), digest, false});
}

result<void> plugin_set::add(const std::string& plugin, const shared_topology& by, const std::filesystem::path& file) {
  std::unique_ptr<entry> failed;
  {
    const std::lock_guard lock(mutex_);
    const auto at = std::find_if(entries_.begin(), entries_.end(), [&](const auto& e) { return e->id == plugin; });
    if (at != entries_.end()) {
      if ((*at)->error.empty()) return error{errc::conflict, plugin + " runs on host " + parts_.host_name + " already"};
      failed = std::move(*at);
      entries_.erase(at);
    }
  }
  const bool again = failed != nullptr;
  if (again) {
    parts_.checks->remove(observability::health_kind::ready, plugin);
    publish_routes();
    if (end(failed) && failed) unload(*failed);
    failed.reset();
  }
  auto e = std::make_unique<entry>();
  e->id = plugin;
  e->model = by;
  auto done = open_topics(*by);
  if (done) done = declare(*e, file);
  if (done) done = routes_fit(*e);
  if (done) done = bring_up(*e);
  if (done && !file.empty()) done = note_file(*e);
  if (!done) {
    const auto why = done.failure();
    if (end(e) && e) unload(*e);
    if (!again) return why;
    // It stays what it was: a plugin of this host that has failed.
    e = std::make_unique<entry>();
    e->id = plugin;
    e->model = by;
    e->error = why.text;
  }
  auto* const here = e.get();
  {
    const std::lock_guard lock(mutex_);
    entries_.push_back(std::move(e));
  }
  if (!here->error.empty()) {
    watch(*here);
    return error{errc::unavailable, here->error};
  }
  publish_routes();
  watch(*here);
  log_info("A plugin was added.", {{"plugin", plugin}, {"version", here->running->version()}});
  return {};
}

bool plugin_set::is_idle(const entry& which) {
  const auto& running = which.running;
  return running.use_count() == 1 && running->in_flight() == 0 && running->jobs->active() == 0 &&
         running->writer->idle();
}

result<void> plugin_set::remove(const std::string& plugin, std::chrono::milliseconds at_most,
                                const std::atomic<bool>& given_up) {
  entry* which = nullptr;
  {
    const std::lock_guard lock(mutex_);
    which = find_entry(plugin);
    if (which == nullptr) return error{errc::not_found, plugin + " does not run on host " + parts_.host_name};
    if (which->swapping) return error{errc::conflict, "another change of " + plugin + " is under way"};
    which->swapping = true;
    which->leaving = true;
  }
  const bool works = which->error.empty() && which->running && which->running->writer;
  publish_routes();
  if (works) {
    which->watching->close();
    which->running->writer->stop_events();
    which->running->jobs->hold(true);  // those that wait are rows: whoever runs it next has them
    const auto until = std::chrono::steady_clock::now() + at_most;
    while (!is_idle(*which)) {
      if (given_up || std::chrono::steady_clock::now() > until) return comes_back(*which);
      std::this_thread::sleep_for(look_every);
    }
  }
  parts_.checks->remove(observability::health_kind::ready, plugin);
  std::unique_ptr<entry> gone;
  {
    const std::lock_guard lock(mutex_);
    const auto at = std::find_if(entries_.begin(), entries_.end(), [&](const auto& e) { return e.get() == which; });
    gone = std::move(*at);
    entries_.erase(at);
  }
  if (end(gone) && gone) unload(*gone);
  log_info("A plugin was removed.", {{"plugin", plugin}});
  return {};
}

// What did not end in time works on.
error plugin_set::comes_back(entry& which) {
  const auto requests = which.running->in_flight();
  {
    const std::lock_guard lock(mutex_);
    which.leaving = false;
    which.swapping = false;
  }
  publish_routes();
  which.running->jobs->hold(false);
  which.running->writer->resume_events();
  if (auto watching = which.watching->open(); !watching)
    observability::log_warn("Observers could not be opened.",
                            {{"plugin", which.id}, {"error", watching.failure().text}});
  return {errc::timeout, which.id + " has work that does not end (" + std::to_string(requests) + " requests, " +
                             std::to_string(which.running->jobs->active()) + " jobs): it was not removed and works on"};
}

result<void> plugin_set::adjust(const std::string& plugin, const shared_topology& by) {
  const auto running = find(plugin);
  if (!running || !running->writer) return error{errc::not_found, plugin + " does not run on host " + parts_.host_name};
  const auto& settings = by->plugins.at(plugin);
  running->writer->adjust(static_cast<std::size_t>(*settings.batch_max), poison_of(*settings.poison));
  const std::lock_guard lock(mutex_);
  find_entry(plugin)->model = by;
  return {};
}

}  // namespace gantry::lifecycle
