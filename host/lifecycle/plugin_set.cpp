#include "lifecycle/plugin_set.hpp"

#include <algorithm>
#include <condition_variable>
#include <thread>

#include "jobs/job_board.hpp"
#include "lifecycle/loading.hpp"
#include "observability/log.hpp"
#include "topology/json_schema.hpp"

namespace gantry::lifecycle {
namespace {

using observability::log_error;
using observability::log_info;
using observability::log_warn;

error prefixed(const std::string& what, const error& e) { return {e.code, what + ": " + e.text}; }

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

result<void> plugin_set::start() {
  if (auto done = open_topics(*parts_.model); !done) return done;
  for (const auto& [id, settings] : parts_.model->plugins) {
    const bool here = std::any_of(settings.hosts.begin(), settings.hosts.end(),
                                  [&](const auto& h) { return *h == parts_.host_name; });
    if (!here) continue;
    auto e = std::make_unique<entry>();
    e->id = id;
    e->model = model_;
    const std::lock_guard lock(mutex_);
    entries_.push_back(std::move(e));
  }
  // First everybody declares and opens; the route table is complete before the first start() runs, because a start may
  // already call others' data by event or request.
  auto table = std::make_shared<runtime::route_table>();
  for (auto& e : entries_) {
    auto done = declare(*e);
    if (done) done = table->add(e->running);
    if (!done) {
      e->error = done.failure().text;
      e->running.reset();
      log_error("A plugin was not loaded.", {{"plugin", e->id}, {"error", e->error}});
    }
  }
  if (parts_.add_apart) parts_.add_apart(*table);
  parts_.router->routes(table);
  for (auto& e : entries_) {
    if (!e->running) continue;
    if (auto done = bring_up(*e); !done) {
      e->error = done.failure().text;
      e->running->state(runtime::phase::failed);
      log_error("A plugin did not start.", {{"plugin", e->id}, {"error", e->error}});
    }
  }
  for (auto& e : entries_) watch(*e);
  return {};
}

// Plugin code that does not come back must not hold the host: it runs on a thread of its own, which is given up after a
// while.
result<void> plugin_set::bounded(entry& e, const char* step, const std::function<result<void>()>& what) {
  struct shared {
    std::mutex mutex;
    std::condition_variable over;
    bool done = false;
    result<void> end;
  };
  auto state = std::make_shared<shared>();
  std::thread runner([state, what] {
    auto end = what();
    const std::lock_guard lock(state->mutex);
    state->end = std::move(end);
    state->done = true;
    state->over.notify_one();
  });
  std::unique_lock lock(state->mutex);
  if (state->over.wait_for(lock, parts_.start_timeout, [&] { return state->done; })) {
    lock.unlock();
    runner.join();
    return state->end;
  }
  lock.unlock();
  runner.detach();
  e.abandoned = true;
  return error{errc::timeout,
               e.id + ": " + step + " has not come back after " + std::to_string(parts_.start_timeout.count()) + " ms"};
}

// `file`: one that ran here; its schema may be ahead of it.
result<void> plugin_set::declare(entry& e, const std::filesystem::path& file) {
  std::uint64_t used = 0;
  {
    const std::lock_guard lock(mutex_);
    used = last_generation_[e.id];
  }
  if (file.empty()) {
    auto found = load_file(*e.model, e.id, parts_.home, used);
    if (!found) return found.failure();
    e.file = std::move(found->file);
    e.swapped = found->swapped;
  } else {
    auto found = load_generation(*e.model, e.id, file, used + 1);
    if (!found) return found.failure();
    e.file = std::move(*found);
    e.swapped = true;
  }
  {
    const std::lock_guard lock(mutex_);
    last_generation_[e.id] = e.file->generation();
  }
  if (auto done = introduce(e); !done) return done;
  return open_store(e);
}

// Makes an instance of the loaded file and lets it declare.
result<void> plugin_set::introduce(entry& e) {
  const auto& settings = e.model->plugins.at(e.id);
  const auto& topics = this->topics();
  runtime::surroundings around;
  around.time = parts_.time;
  around.metrics = parts_.metrics;
  around.calls = parts_.router;
  around.topics = &topics;
  around.watch = parts_.watch;
  around.deadly = parts_.deadly;
  e.running = std::make_shared<runtime::instance>(e.id, e.file->promised().version,
                                                  static_cast<std::uint32_t>(e.file->generation()), around);
  e.running->stall_after_us = settings.stall_after->count();
  e.running->stall_kill_after_us = settings.stall_kill_after->count();
  auto running = e.running;
  const auto* entry_point = &e.file->entry();
  if (auto done = bounded(e, "create and setup", [running, entry_point] { return running->create(*entry_point); });
      !done)
    return done;
  if (auto done = check_declared(*e.running, e.file->promised()); !done) return done;

  auto& i = *e.running;
  i.config = settings.config.json;
  if (!i.declared.config_schema.empty()) {
    auto checked = topology::check_json(i.declared.config_schema, i.config);
    if (!checked) return prefixed("config schema of " + e.id, checked.failure());
    if (!checked->errors.empty()) {
      const auto& wrong = checked->errors.front();
      return error{errc::invalid, "config of " + e.id + " at " + wrong.pointer + ": expected " + wrong.expected};
    }
    i.config = std::move(checked->json);
  }
  for (auto& out : i.declared.emissions) {
    const auto at = topics.find(out.topic);
    if (at == topics.end())
      return error{errc::not_found, e.id + " emits on topic " + out.topic + ", which the topology does not have"};
    out.topic_id = at->second;
    const auto& spec = parts_.events->topic(at->second);
    out.partitions = spec.partitions;
    out.max_message = spec.max_message;
  }
  return {};
}

// Whether no other host has the store open with another version of the plugin, which could need what a contract
// migration takes away.
result<bool> plugin_set::alone_in(store::store& database, std::string_view version) const {
  if (!database.shared()) return true;
  auto session = database.acquire_reader();
  if (!session) return session.failure();
  const auto others = runtime::hosts_of_other_versions(**session, parts_.home, version);
  if (!others) return others.failure();
  return others->empty();
}

result<void> plugin_set::open_store(entry& e) {
  auto opened = parts_.open_store(*e.model, e.id);
  if (!opened) return opened.failure();
  auto& i = *e.running;
  i.database = std::move(*opened);
  const auto alone = alone_in(*i.database, i.version());
  if (!alone) return prefixed("store of " + e.id, alone.failure());
  auto migrated = i.database->migrate(i.declared.migrations, {.contract = *alone, .ahead = e.swapped});
  if (!migrated) return prefixed("store of " + e.id, migrated.failure());
  const auto& settings = e.model->plugins.at(e.id);
  runtime::lane_options options;
  options.batch_max = static_cast<std::size_t>(*settings.batch_max);
  options.queue_max = static_cast<std::size_t>(*e.model->limits.requests);
  options.outbox_max_bytes = *e.model->outbox_max_bytes;
  options.parked_max = *e.model->limits.parked;
  options.poison = poison_of(*settings.poison);
  options.host = parts_.home;
  options.seed = static_cast<std::uint64_t>(parts_.time->steady_us());
  i.jobs = std::make_unique<runtime::job_board>(i, *parts_.jobs, *parts_.time);
  i.writer = std::make_unique<runtime::lane>(i, *i.database, *parts_.events, *parts_.time, *parts_.lanes, options);
  return i.writer->open("/" + *e.model->name + "/" + e.id + "/");
}

result<void> plugin_set::bring_up(entry& e) {
  auto running = e.running;
  if (auto done = bounded(e, "start", [running] { return running->start(); }); !done) return done;
  running->state(runtime::phase::running);
  e.watching = std::make_unique<runtime::observers>(*running, *parts_.events, *parts_.lanes);
  if (auto done = e.watching->open(); !done) return done;
  return running->writer->consume(topology::group_of(*e.model, e.id));
}

void plugin_set::watch(entry& e) {
  const auto* const at = &e;
  parts_.checks->add(observability::health_kind::ready, e.id, [this, at]() -> result<void> {
    std::shared_ptr<runtime::instance> running;
    {
      const std::lock_guard lock(mutex_);
      if (!at->error.empty()) return error{errc::unavailable, at->error};
      running = at->running;
    }
    return running->health();
  });
  show_figures(e);
}

// By series of the generation that works now.
void plugin_set::show_figures(entry& e) {
  if (!e.running || !e.running->writer) return;
  auto* const lane = e.running->writer.get();
  const auto owner = e.running->metrics_owner;
  auto& m = *parts_.metrics;
  const auto gauge = [&](const char* name, const char* help, auto read) {
    if (const auto done = m.watch(observability::metric_type::gauge, name, help, {{"plugin", e.id}}, read, owner);
        !done)
      log_warn("A metric could not be added.", {{"metric", name}, {"error", done.failure().text}});
  };
  gauge("gantry_write_queue", "Writes that wait for the write lane.",
        [lane] { return static_cast<double>(lane->count().queue); });
  gauge("gantry_outbox_bytes", "Bytes of committed events that the bus has not acknowledged.",
        [lane] { return static_cast<double>(lane->count().outbox_bytes); });
  gauge("gantry_relay_leader", "1 when this host hands over what the hosts of the plugin's store have committed.",
        [lane] { return lane->leads() ? 1.0 : 0.0; });
  gauge("gantry_parked_events", "Events parked in the plugin's store.",
        [lane] { return static_cast<double>(lane->count().parked); });
  // Not asked under the registry's lock: the bus may wait for its servers.
  constexpr const char* lag = "gantry_consumer_lag";
  auto made = m.get_gauge(lag, "Events on the plugin's topics that it has not handled, when the bus could last say.",
                          {{"plugin", e.id}}, owner);
  if (made) {
    const std::lock_guard lock(mutex_);
    e.lag = *made;
  } else {
    log_warn("A metric could not be added.", {{"metric", lag}, {"error", made.failure().text}});
  }
}

std::map<std::string, std::uint64_t> plugin_set::measure_lags() const {
  struct asked {
    std::shared_ptr<runtime::instance> who;  // keeps its gauge
    observability::gauge* into;
  };
  std::map<std::string, asked> all;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& e : entries_)
      if (e->running && e->running->writer) all.emplace(e->id, asked{e->running, e->lag});
  }
  std::map<std::string, std::uint64_t> out;
  for (const auto& [id, one] : all) {
    const auto lag = out[id] = one.who->writer->lag();
    if (one.into != nullptr) one.into->set(static_cast<double>(lag));
  }
  return out;
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
  std::vector<std::unique_ptr<entry>> entries;
  {
    const std::lock_guard lock(mutex_);
    entries.swap(entries_);
  }
  parts_.router->routes(std::make_shared<const runtime::route_table>());
  bool all = true;
  for (auto& e : entries) parts_.checks->remove(observability::health_kind::ready, e->id);
  for (auto& e : entries)
    if (!end(e)) all = false;
  for (auto& e : entries)
    if (e) unload(*e);
  return all;
}

// Ends what an entry runs, once nothing reaches it any more. False: its stop() does not come back. Where a thread stays
// in its code the entry is kept for ever, and `which` is empty.
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
  i.jobs.reset();
  i.writer.reset();
  i.database.reset();
  return true;
}

void plugin_set::unload(entry& which) {
  which.running.reset();
  if (!which.file) return;
  const auto report = which.file->unload();
  if (report.mapped) log_info("A plugin stays mapped.", {{"plugin", which.id}, {"reason", report.why}});
}

std::vector<plugin_row> plugin_set::rows() const {
  std::vector<plugin_row> out;
  const std::lock_guard lock(mutex_);
  for (const auto& e : entries_) {
    plugin_row row;
    row.id = e->id;
    row.error = e->error;
    row.swapping = e->swapping;
    row.state = "failed";
    if (e->running) {
      const auto& i = *e->running;
      row.version = i.version();
      row.state = runtime::to_string(i.state());
      row.routes = i.declared.routes.size();
      row.generation = i.generation();
      const auto note = [](std::vector<std::string>& to, const std::string& name) {
        if (std::find(to.begin(), to.end(), name) == to.end()) to.push_back(name);
      };
      for (const auto& s : i.declared.subscriptions) note(row.consumes, s.topic);
      for (const auto& m : i.declared.emissions) note(row.emits, m.topic);
      if (i.database) row.store = i.database->describe();
      if (i.writer) row.counts = i.writer->count();
    }
    out.push_back(std::move(row));
  }
  return out;
}

std::shared_ptr<runtime::instance> plugin_set::find(const std::string& plugin) const {
  const std::lock_guard lock(mutex_);
  for (const auto& e : entries_)
    if (e->id == plugin) return e->running;
  return nullptr;
}

}  // namespace gantry::lifecycle
