// Plugins that come and go while the others work.
#include <algorithm>
#include <thread>
#include <utility>

#include "jobs/job_board.hpp"
#include "lifecycle/generation_pointer.hpp"
#include "lifecycle/loading.hpp"
#include "lifecycle/old_copies.hpp"
#include "lifecycle/plugin_set.hpp"
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
  {
    const std::lock_guard lock(mutex_);
    for (auto& e : entries_)
      if (by->plugins.contains(e->id)) e->model = by;
    model_ = std::move(by);
    // Who calls them knows now where they are.
    std::erase_if(absent_, [&](const auto& one) { return !is_placed_here(one.first); });
  }
  publish_routes();
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
    if (e->begun) one.settings = settings_digest(e->begun->plugins.at(e->id));
  }
  return out;
}

// With mutex_ held.
plugin_set::entry* plugin_set::find_entry(const std::string& plugin) const {
  for (const auto& e : entries_)
    if (e->id == plugin) return e.get();
  return nullptr;
}

// Takes an entry out of the list and puts another one, if there is one, in its place; from then on nobody finds it.
// With mutex_ held.
std::unique_ptr<plugin_set::entry> plugin_set::exchange_entry(const entry* which, std::unique_ptr<entry> by) {
  const auto at = std::find_if(entries_.begin(), entries_.end(), [&](const auto& e) { return e.get() == which; });
  auto out = std::exchange(*at, std::move(by));
  if (!*at) entries_.erase(at);
  return out;
}

// Its routes have to be free: publish_routes() would leave it out.
result<void> plugin_set::routes_fit(const entry& newcomer) {
  runtime::route_table table;
  {
    const std::lock_guard lock(mutex_);
    if (auto done = add_routes(table); !done) return done;
  }
  if (parts_.add_apart) parts_.add_apart(table);
  return table.add(newcomer.running);
}

// A restart comes up with this file, as long as the library is what it is now. What was said of the same file before
// stays true: that somebody has put it in the library's place.
result<void> plugin_set::note_file(const entry& e) const {
  auto known = read_pointer(*e.model->state, e.id, parts_.home);
  if (!known) return known.failure();
  generation_pointer next;
  if (*known && (*known)->digest == e.file->digest()) {
    next = std::move(**known);
  } else {
    auto digest = library_digest(*e.model, e.id);
    if (!digest && digest.failure().code != errc::not_found) return digest.failure();
    if (digest) next.library_digest = std::move(*digest);
    next.digest = e.file->digest();
  }
  next.generation = e.file->generation();
  next.copy = e.file->copy();
  return write_pointer(*e.model->state, e.id, parts_.home, next);
}

result<void> plugin_set::add(const std::string& plugin, const shared_topology& by, const std::filesystem::path& file) {
  if (!by->plugins.contains(plugin)) return error{errc::not_found, plugin + " is not in the topology"};
  const std::lock_guard one(changing_);
  auto done = bring(plugin, by, file, true);
  if (done) log_info("A plugin was added.", {{"plugin", plugin}, {"version", find(plugin)->version()}});
  return done;
}

// With changing_ held. `noted`: a restart comes up with this file.
result<void> plugin_set::bring(const std::string& plugin, const shared_topology& by, const std::filesystem::path& file,
                               bool noted) {
  // One that has failed: another one stands in its place until this has ended, so that its row, its readiness and its
  // routes go on saying so.
  const entry* stands = nullptr;
  std::unique_ptr<entry> failed;
  {
    const std::lock_guard lock(mutex_);
    if (const auto* const here = find_entry(plugin); here != nullptr) {
      if (here->error.empty()) return error{errc::conflict, plugin + " runs on host " + parts_.host_name + " already"};
      if (here->swapping) return error{errc::conflict, "another change of " + plugin + " is under way"};
      auto instead = std::make_unique<entry>();
      instead->id = plugin;
      instead->model = here->model;
      instead->error = here->error;
      instead->waits = here->waits;
      stands = instead.get();
      failed = exchange_entry(here, std::move(instead));
    }
  }
  if (failed) {
    keep_routes(*failed);
    publish_routes();
    const auto drain = *failed->model->plugins.at(plugin).swap.drain;
    end(failed);
    unload(failed, drain);
  }
  auto e = std::make_unique<entry>();
  e->id = plugin;
  e->model = by;
  auto done = open_topics(*by);
  if (done) done = declare(*e, file);
  if (done) done = routes_fit(*e);
  if (done) done = bring_up(*e);
  if (done && noted) done = note_file(*e);
  if (!done) return not_added(std::move(e), stands, done.failure());
  auto* const here = e.get();
  {
    const std::lock_guard lock(mutex_);
    absent_.erase(plugin);
    if (stands != nullptr)
      failed = exchange_entry(stands, std::move(e));
    else
      entries_.push_back(std::move(e));
  }
  publish_routes();
  watch(*here);
  remove_old_copies(*by->state, plugin);
  return {};
}

// Nothing of it is left, but that a plugin of this host has failed.
error plugin_set::not_added(std::unique_ptr<entry> e, const entry* stands, const error& why) {
  const auto model = e->model;
  const auto plugin = e->id;
  end(e);
  unload(e, *model->plugins.at(plugin).swap.drain);
  remove_old_copies(*model->state, plugin);
  if (stands == nullptr) return why;
  const std::lock_guard lock(mutex_);
  auto* const failed = find_entry(plugin);
  failed->model = model;
  failed->error = why.text;
  failed->waits = failed->waits && why.code == errc::unavailable;
  return why;
}

bool plugin_set::is_idle(const entry& which) {
  return is_unused(which) && which.running->jobs->active() == 0 && which.running->writer->idle();
}

result<void> plugin_set::remove(const std::string& plugin, std::chrono::milliseconds at_most,
                                const std::atomic<bool>& given_up) {
  const std::lock_guard one(changing_);
  entry* which = nullptr;
  bool stays_ours = false;
  {
    const std::lock_guard lock(mutex_);
    which = find_entry(plugin);
    if (which == nullptr) return error{errc::not_found, plugin + " does not run on host " + parts_.host_name};
    if (which->swapping) return error{errc::conflict, "another change of " + plugin + " is under way"};
    which->swapping = true;
    which->leaving = true;
    stays_ours = is_placed_here(plugin);
  }
  const bool works = which->error.empty() && which->running && which->running->writer;
  if (stays_ours) keep_routes(*which);
  publish_routes();
  if (works) {
    which->watching->close();
    which->running->writer->stop_events();
    which->running->jobs->hold(true);  // those that wait are rows: whoever runs it next has them
  }
  std::unique_ptr<entry> gone;
  for (const auto until = std::chrono::steady_clock::now() + at_most; !gone;) {
    {
      // In one: who finds it has it, and then it is not idle.
      const std::lock_guard lock(mutex_);
      if (!works || is_idle(*which)) gone = exchange_entry(which, nullptr);
    }
    if (gone) break;
    if (given_up || std::chrono::steady_clock::now() > until) return comes_back(*which, given_up);
    std::this_thread::sleep_for(look_every);
  }
  parts_.checks->remove(observability::health_kind::ready, plugin);
  const auto model = gone->model;
  end(gone);
  unload(gone, *model->plugins.at(plugin).swap.drain);
  log_info("A plugin was removed.", {{"plugin", plugin}});
  return {};
}

// What did not end in time works on.
error plugin_set::comes_back(entry& which, bool given_up) {
  const auto& running = *which.running;
  const auto counts = running.writer->count();
  auto what = which.id + (given_up ? ": the host stops" : " has work that does not end") + " (" +
              std::to_string(running.in_flight()) + " requests, " + std::to_string(running.jobs->active()) + " jobs, " +
              std::to_string(counts.queue) + " writes, " + std::to_string(counts.outbox_bytes) +
              " bytes in its outbox): it was not removed and works on";
  {
    const std::lock_guard lock(mutex_);
    which.leaving = false;
    which.swapping = false;
    absent_.erase(which.id);
  }
  publish_routes();
  running.jobs->hold(false);
  running.writer->resume_events();
  if (auto watching = which.watching->open(); !watching)
    observability::log_warn("Observers could not be opened.",
                            {{"plugin", which.id}, {"error", watching.failure().text}});
  return {errc::timeout, std::move(what)};
}

result<void> plugin_set::adjust(const std::string& plugin, const shared_topology& by) {
  const auto running = find(plugin);
  if (!by->plugins.contains(plugin)) return error{errc::not_found, plugin + " is not in the topology"};
  if (!running || !running->writer) return error{errc::not_found, plugin + " does not run on host " + parts_.host_name};
  const auto& settings = by->plugins.at(plugin);
  running->writer->adjust(static_cast<std::size_t>(*settings.batch_max), poison_of(*settings.poison));
  const std::lock_guard lock(mutex_);
  find_entry(plugin)->model = by;
  return {};
}

}  // namespace gantry::lifecycle
