#include "lifecycle/plugin_set.hpp"

#include <algorithm>
#include <atomic>
#include <thread>

#include "jobs/job_board.hpp"
#include "lifecycle/loading.hpp"
#include "lifecycle/old_copies.hpp"
#include "observability/log.hpp"

namespace gantry::lifecycle {
namespace {

using observability::log_error;
using observability::log_info;
using observability::log_warn;

// What may still be on its way out of a plugin when all has ended.
constexpr std::chrono::seconds last_moments{1};
constexpr std::chrono::seconds longest_wait_for_bus{60};
constexpr std::chrono::milliseconds between_tries{200};

}  // namespace

plugin_set::plugin_set(host_parts parts)
    : parts_(std::move(parts)), model_(shared_topology(), parts_.model), topics_(1) {}

runtime::poison_policy poison_of(topology::poison_policy policy) {
  switch (policy) {
    case topology::poison_policy::park_key:
      return runtime::poison_policy::park_key;
    case topology::poison_policy::skip:
      return runtime::poison_policy::skip;
    case topology::poison_policy::halt:
      return runtime::poison_policy::halt;
  }
  return runtime::poison_policy::park_key;
}

plugin_set::~plugin_set() { stop(); }

bus::topic_spec spec_of(const topology::topology& model, const std::string& topic) {
  const auto& t = model.topics.at(topic);
  bus::topic_spec spec;
  spec.name = topic;
  spec.partitions = static_cast<std::uint32_t>(*t.partitions);
  spec.retention = std::chrono::duration_cast<std::chrono::milliseconds>(*t.retention);
  spec.retention_bytes = *t.max_bytes;
  spec.max_message = *t.max_message;
  return spec;
}

// Instances read the directory while they run: a new one takes its place for those that come.
result<void> plugin_set::open_topics(const topology::topology& model) {
  auto known = topics();
  const auto before = known;
  for (const auto& [name, t] : model.topics) {
    auto spec = spec_of(model, name);
    const auto id = parts_.events->open_topic(spec);
    if (!id) return prefixed("topic " + name, id.failure());
    known[name] = *id;
    // Dead letters: one partition, so that an operator reads them in the order they died.
    spec.name += ".dlq";
    spec.partitions = 1;
    spec.max_message += 64 * 1024;
    const auto dead = parts_.events->open_topic(spec);
    if (!dead) return prefixed("topic " + spec.name, dead.failure());
    known[spec.name] = *dead;
  }
  if (known == before) return {};
  const std::lock_guard lock(mutex_);
  topics_.push_back(std::move(known));
  return {};
}

const runtime::topic_directory& plugin_set::topics() const {
  const std::lock_guard lock(mutex_);
  return topics_.back();
}

void plugin_set::keep_for_ever(std::unique_ptr<entry> what) {
  // Never destroyed, and still referred to: what stays on purpose is no leak.
  static auto* const kept = new std::vector<std::unique_ptr<entry>>;
  static std::mutex mutex;
  const std::lock_guard lock(mutex);
  kept->push_back(std::move(what));
}

// What is to run needs its topics. The brokers may come later than we, or go for a moment between two topics.
result<void> plugin_set::reach_topics() {
  const auto until = std::chrono::steady_clock::now() + longest_wait_for_bus;
  for (bool waited = false;; waited = true) {
    auto done = open_topics(*parts_.model);
    if (done && waited) parts_.bus_is_away({});
    if (done || done.failure().code != errc::unavailable || !parts_.bus_is_away) return done;
    const auto& why = done.failure().text;
    if (std::chrono::steady_clock::now() >= until)
      return error{errc::unavailable, why + "; waited for " + std::to_string(longest_wait_for_bus.count()) + " s"};
    log_warn("Waiting for the bus.", {{"reason", why}});
    if (!parts_.bus_is_away(why)) return error{errc::unavailable, "the host was asked to end before its bus was there"};
    std::this_thread::sleep_for(between_tries);
  }
}

result<void> plugin_set::start() {
  if (auto done = reach_topics(); !done) return done;
  for (const auto& [id, settings] : parts_.model->plugins) {
    if (!is_placed_here(id)) continue;
    auto e = std::make_unique<entry>();
    e->id = id;
    e->model = model_;
    const std::lock_guard lock(mutex_);
    entries_.push_back(std::move(e));
  }
  // First everybody declares and opens; the route table is complete before the first start() runs, because a start may
  // already call others' data by event or request.
  runtime::route_table table;
  for (auto& e : entries_) {
    auto done = declare(*e);
    if (done) done = table.add(e->running);
    if (!done) {
      e->error = done.failure().text;
      e->waits = done.failure().code == errc::unavailable;
      if (!e->waits) log_error("A plugin was not loaded.", {{"plugin", e->id}, {"error", e->error}});
      keep_routes(*e);
      e->running.reset();
    }
  }
  table = {};
  publish_routes();
  for (auto& e : entries_) {
    if (!e->running) continue;
    if (auto done = bring_up(*e); !done) {
      e->error = done.failure().text;
      e->waits = done.failure().code == errc::unavailable;
      e->running->state(runtime::phase::failed);
      if (!e->waits) log_error("A plugin did not start.", {{"plugin", e->id}, {"error", e->error}});
    }
  }
  for (auto& e : entries_) {
    watch(*e);
    settle_receipt(*parts_.model->state, e->id, parts_.home);
    remove_old_copies(*e->model->state, e->id);
  }
  begin_starting_again();
  return {};
}

void plugin_set::tick() {
  const std::lock_guard lock(mutex_);
  for (auto& e : entries_) {
    if (!e->running || !e->running->writer || e->running->state() == runtime::phase::failed) continue;
    e->running->writer->tick();
    if (e->running->jobs) e->running->jobs->tick();
    if (e->watching) e->watching->tick();
  }
}

bool plugin_set::drain(std::chrono::milliseconds at_most) {
  end_starting_again();
  std::vector<entry*> live;
  {
    const std::lock_guard lock(mutex_);
    for (auto& e : entries_)
      if (e->running && e->running->writer && e->running->state() == runtime::phase::running) live.push_back(e.get());
  }
  for (auto* e : live) {
    e->watching->close();
    e->running->writer->stop_events();
    e->running->jobs->hold(true);  // those that wait are rows: the next process runs them
  }
  const auto until = std::chrono::steady_clock::now() + at_most;
  const auto busy = [&] {
    return std::any_of(live.begin(), live.end(), [](const entry* e) {
      return e->running->in_flight() != 0 || !e->running->writer->idle() || e->running->jobs->active() != 0;
    });
  };
  while (busy()) {
    if (std::chrono::steady_clock::now() > until) {
      for (const auto* e : live) {
        if (e->running->in_flight() != 0 || !e->running->writer->idle() || e->running->jobs->active() != 0)
          log_error("A plugin has work that does not end.", {{"plugin", e->id},
                                                             {"requests", std::to_string(e->running->in_flight())},
                                                             {"jobs", std::to_string(e->running->jobs->active())},
                                                             {"lane", e->running->writer->idle() ? "idle" : "busy"}});
      }
      return false;
    }
    for (auto* e : live) e->running->writer->tick();
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return true;
}

bool plugin_set::stop() {
  if (stopped_) return true;
  stopped_ = true;
  end_starting_again();
  std::vector<std::unique_ptr<entry>> entries;
  {
    const std::lock_guard lock(mutex_);
    entries.swap(entries_);
    absent_.clear();
  }
  parts_.router->routes(std::make_shared<const runtime::route_table>());
  bool all = true;
  for (auto& e : entries) parts_.checks->remove(observability::health_kind::ready, e->id);
  for (auto& e : entries)
    if (!end(e)) all = false;
  for (auto& e : entries) unload(e, last_moments);
  return all;
}

// Ends what an entry runs, once it is out of the list and of the table. False: its stop() does not come back. Where a
// thread stays in its code the entry is kept for ever, and `which` is empty.
bool plugin_set::end(std::unique_ptr<entry>& which) {
  if (which->abandoned) {
    keep_for_ever(std::move(which));
    return true;
  }
  if (!which->running) return true;
  auto& i = *which->running;
  const bool ran = i.state() == runtime::phase::running;
  i.state(runtime::phase::stopping);
  which->watching.reset();
  parts_.metrics->remove_owner(which->figures);
  if (i.writer) i.writer->stop_events();
  if (i.jobs) i.jobs->stop();
  if (i.writer) i.writer->close();
  if (ran) {
    auto running = which->running;
    const auto done = bounded(*which, "stop", [running]() -> result<void> {
      running->stop();
      return {};
    });
    if (!done) {
      log_error("A plugin does not stop.", {{"plugin", which->id}, {"error", done.failure().text}});
      keep_for_ever(std::move(which));
      return false;
    }
  }
  return true;
}

// Nobody else has the instance: no request, no table that one was found in, no operation.
bool plugin_set::is_unused(const entry& which) {
  const bool out = which.running.use_count() == 1 && which.running->in_flight() == 0;
  // What others did with it happened before it goes.
  if (out) std::atomic_thread_fence(std::memory_order_acquire);
  return out;
}

// Takes apart what has ended and gives its file back, once nobody has it any more: a request that waited in a queue
// still answers from it. Who keeps it for longer keeps it in the process.
void plugin_set::unload(std::unique_ptr<entry>& which, std::chrono::microseconds at_most) {
  if (!which) return;
  if (which->running) {
    const auto until = std::chrono::steady_clock::now() + at_most;
    while (!is_unused(*which)) {
      if (std::chrono::steady_clock::now() > until) {
        log_warn("A plugin stays in memory: requests that were found for it have not ended.",
                 {{"plugin", which->id}, {"requests", std::to_string(which->running->in_flight())}});
        keep_for_ever(std::move(which));
        return;
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    which->running->jobs.reset();
    which->running->writer.reset();
    which->running->database.reset();
    which->running.reset();
  }
  if (which->file) {
    const auto report = which->file->unload();
    if (report.mapped) log_info("A plugin stays mapped.", {{"plugin", which->id}, {"reason", report.why}});
  }
  which.reset();
}

std::shared_ptr<runtime::instance> plugin_set::find(const std::string& plugin) const {
  const std::lock_guard lock(mutex_);
  for (const auto& e : entries_)
    if (e->id == plugin) return e->running;
  return nullptr;
}

// With mutex_ held. The first refusal, where a route of one is another one's: that one is left out.
result<void> plugin_set::add_routes(runtime::route_table& table) const {
  result<void> out;
  for (const auto& e : entries_) {
    if (!e->running || e->leaving) continue;
    if (auto added = table.add(e->running); !added && out) out = std::move(added);
  }
  return out;
}

void plugin_set::publish_routes() {
  const std::lock_guard one(publishing_);
  auto table = std::make_shared<runtime::route_table>();
  std::map<std::string, std::shared_ptr<absent_plugin>> absent;
  {
    const std::lock_guard lock(mutex_);
    if (auto added = add_routes(*table); !added)
      log_error("Routes could not be added.", {{"error", added.failure().text}});
    absent = absent_;
  }
  if (parts_.add_apart) parts_.add_apart(*table);
  // Last: where another plugin has such a route, that one answers.
  for (const auto& [id, gone] : absent) static_cast<void>(table->add(gone, gone->routes()));
  parts_.router->routes(std::move(table));
}

// The topology that counts has it here. With mutex_ held, or before others can know of this set.
bool plugin_set::is_placed_here(const std::string& plugin) const {
  const auto at = model_->plugins.find(plugin);
  return at != model_->plugins.end() &&
         std::ranges::any_of(at->second.hosts, [&](const auto& h) { return *h == parts_.host_name; });
}

// From the next table on these answer that the plugin is not available.
void plugin_set::keep_routes(const entry& of) {
  std::vector<runtime::apart_route> routes;
  if (of.running) {
    for (const auto& r : of.running->declared.routes) routes.push_back({r.method, r.pattern});
  } else if (of.file) {
    for (const auto& r : of.file->promised().routes) routes.push_back({r.method, r.pattern});
  } else if (auto promised = manifest_to_start(*of.model, of.id, parts_.home)) {
    for (auto& r : promised->routes) routes.push_back({std::move(r.method), std::move(r.pattern)});
  }
  const std::lock_guard lock(mutex_);
  absent_[of.id] = std::make_shared<absent_plugin>(of.id, std::move(routes));
}

}  // namespace gantry::lifecycle
