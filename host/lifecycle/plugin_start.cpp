// A plugin from its file to its first event: loads, declares, opens its store, starts.
#include <condition_variable>

#include "base/new_thread.hpp"
#include "jobs/job_board.hpp"
#include "lifecycle/loading.hpp"
#include "lifecycle/plugin_set.hpp"
#include "topology/json_schema.hpp"

namespace gantry::lifecycle {
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
  auto runner = new_thread([state, what] {
    auto end = what();
    const std::lock_guard lock(state->mutex);
    state->end = std::move(end);
    state->done = true;
    state->over.notify_one();
  });
  if (!runner) return prefixed(e.id + ": " + step, runner.failure());
  std::unique_lock lock(state->mutex);
  if (state->over.wait_for(lock, parts_.start_timeout, [&] { return state->done; })) {
    lock.unlock();
    runner->join();
    return state->end;
  }
  lock.unlock();
  runner->detach();
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
  e.begun = e.model;
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

}  // namespace gantry::lifecycle
