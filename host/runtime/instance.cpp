#include "runtime/instance.hpp"

#include <algorithm>

#include "base/uuid.hpp"
#include "jobs/job_board.hpp"
#include "observability/log.hpp"
#include "runtime/lane.hpp"
#include "runtime/tables.hpp"
#include "runtime/text.hpp"
#include "runtime/watch.hpp"

namespace gantry::runtime {

std::string_view to_string(phase p) noexcept {
  switch (p) {
    case phase::created:
      return "created";
    case phase::setup:
      return "setup";
    case phase::starting:
      return "starting";
    case phase::running:
      return "ready";
    case phase::stopping:
      return "draining";
    case phase::stopped:
      return "stopped";
    case phase::failed:
      return "failed";
  }
  return "unknown";
}

gantry_status report_throw(const instance& who, const char* what, const char* text) noexcept {
  observability::log_error("A plugin threw an exception across the C boundary.",
                           {{"plugin", who.id()}, {"in", what}, {"error", text}});
  return fail(GANTRY_FAILED, text);
}

instance::instance(std::string id, std::string version, std::uint32_t generation, const surroundings& surround)
    : around(surround),
      id_(std::move(id)),
      version_(std::move(version)),
      generation_(generation),
      note_(surround.watch != nullptr ? surround.watch->notes().name(id_) : 0),
      notes_(surround.watch != nullptr ? &surround.watch->notes() : nullptr),
      table_{} {
  if (around.watch != nullptr) around.watch->add(*this);
  table_.struct_size = sizeof(gantry_host);
  table_.capability = find_capability;
  table_.fail = [](const gantry_host*, gantry_status code, gantry_str text) { return fail(code, view(text)); };
  table_.error = [](const gantry_host*) { return str(last_failure()); };
  table_.now_us = [](const gantry_host* h) { return of(h).now_us(); };
  table_.new_id = [](const gantry_host* h, char* out) {
    const auto text = new_uuid(of(h).now_us());
    std::copy(text.begin(), text.end(), out);
  };
  table_.self = this;

  auto& m = *around.metrics;
  metrics_owner = m.new_owner();
  const observability::labels with = {{"plugin", id_}};
  const auto counter = [&](const char* name, const char* help) {
    auto made = m.get_counter(name, help, with, metrics_owner);
    return made ? *made : nullptr;
  };
  counts.requests = counter("gantry_requests_total", "Requests and calls that the plugin has answered.");
  counts.request_errors =
      counter("gantry_request_errors_total", "Of those, the ones answered with a status of 500 or more.");
  counts.events_in = counter("gantry_events_handled_total", "Events handled and committed.");
  counts.events_out = counter("gantry_events_emitted_total", "Events emitted and committed.");
  counts.events_dropped =
      counter("gantry_events_duplicate_total", "Events dropped because they had been handled before.");
  counts.event_errors = counter("gantry_event_errors_total", "Attempts to handle an event that failed.");
  counts.events_parked = counter("gantry_events_parked_total", "Events parked after their last attempt.");
  counts.transactions = counter("gantry_transactions_total", "Transactions committed on the plugin's store.");
  counts.reruns = counter("gantry_transaction_reruns_total", "Transactions rolled back and run again.");
  counts.stale_batches =
      counter("gantry_stale_batches_total", "Batches not committed because another host has claimed their partition.");
  counts.epoch_moves = counter("gantry_partition_claims_total", "Partitions claimed, each under a new epoch.");
  counts.jobs_done = counter("gantry_jobs_done_total", "Job attempts that succeeded.");
  counts.job_errors = counter("gantry_job_errors_total", "Job attempts that failed.");
  counts.calls = counter("gantry_calls_total", "Calls to other plugins.");
  counts.call_errors = counter("gantry_call_errors_total", "Of those, the ones that got no reply.");
  if (auto made = m.get_gauge("gantry_batch_size", "Events and writes in the last transaction.", with, metrics_owner))
    counts.batch_size = *made;
  if (auto made = m.get_gauge("gantry_clock_ahead_seconds",
                              "By how much this machine's clock is ahead of that of the shared store's server.", with,
                              metrics_owner))
    counts.clock_ahead = *made;
}

instance::~instance() {
  // The last generation ends the plugin's lane: first, because a job that ends writes there.
  if (writer.use_count() == 1) writer->close();
  jobs.reset();
  writer.reset();
  if (plugin != nullptr && plugin->destroy != nullptr)
    guarded(
        [&] {
          plugin->destroy(plugin->self);
          return GANTRY_OK;
        },
        "destroy");
  around.metrics->remove_owner(metrics_owner);
  if (around.watch != nullptr) around.watch->remove(*this);
}

void instance::plain_note::enter(const instance& who, const char* what) {
  slot_ = &who.notes_->mine();
  blackbox::work now;
  now.plugin = who.note_;
  now.generation = who.generation_;
  now.what = who.notes_->name(what);
  const auto now_us = who.around.time->steady_us();
  if (blackbox::entered(*slot_))
    blackbox::enter_within(*slot_, outer_.emplace(), now, now_us);
  else
    blackbox::enter(*slot_, now, now_us);
}

void instance::plain_note::leave() {
  if (outer_) {
    blackbox::put_back(*slot_, *outer_);
  } else {
    blackbox::leave(*slot_);
  }
}

instance& instance::of(const gantry_host* host) noexcept { return *static_cast<const host_table*>(host)->self; }

result<void> instance::create(const gantry_entry& entry) {
  const auto refused = [&](const char* step, gantry_status status) {
    state(phase::failed);
    return error{errc::internal, id_ + ": " + step + " failed with " + status_name(status) +
                                     (last_failure().empty() ? "" : ": " + std::string(last_failure()))};
  };
  fail(GANTRY_OK, {});
  const gantry_instance* made = nullptr;
  if (const auto s = guarded([&] { return entry.create(&table_, &made); }, "create"); s != GANTRY_OK)
    return refused("create", s);
  constexpr auto least = offsetof(gantry_instance, health);
  if (made == nullptr || made->struct_size < least || made->setup == nullptr || made->start == nullptr ||
      made->stop == nullptr || made->destroy == nullptr) {
    state(phase::failed);
    return error{errc::invalid,
                 id_ + ": create answered OK without an instance that has setup, start, stop and destroy"};
  }
  plugin = made;
  state(phase::setup);
  fail(GANTRY_OK, {});
  if (const auto s = guarded([&] { return plugin->setup(plugin->self); }, "setup"); s != GANTRY_OK)
    return refused("setup", s);
  state(phase::created);
  const auto latency = [&](const char* name, const char* help, observability::labels with) {
    with.push_back({"plugin", id_});
    auto h = around.metrics->get_histogram(name, help, std::move(with), metrics_owner);
    return h ? *h : nullptr;
  };
  name_notes();
  for (auto& r : declared.routes)
    r.latency = latency("gantry_request_seconds", "From the request's arrival to its reply.",
                        {{"method", r.method}, {"route", r.pattern}});
  for (auto& s : declared.subscriptions)
    s.latency =
        latency("gantry_event_seconds", "Time in the handler of one event.", {{"topic", s.topic}, {"type", s.type}});
  return {};
}

// So that no name has to be looked for when plugin code is entered.
void instance::name_notes() {
  if (notes_ == nullptr) return;
  for (auto& r : declared.routes) r.note = notes_->name(r.method + " " + r.pattern);
  for (auto& s : declared.subscriptions) {
    s.topic_note = notes_->name(s.topic);
    s.type_note = notes_->name(s.type);
  }
  for (auto& j : declared.jobs) j.note = notes_->name(j.name);
  for (auto& t : declared.timers) t.note = notes_->name("timer " + t.name);
}

result<void> instance::start() {
  state(phase::starting);
  writer->set_time_of(*this);
  fail(GANTRY_OK, {});
  if (const auto s = guarded([&] { return plugin->start(plugin->self); }, "start"); s != GANTRY_OK) {
    state(phase::failed);
    return error{errc::internal, id_ + ": start failed with " + status_name(s) +
                                     (last_failure().empty() ? "" : ": " + std::string(last_failure()))};
  }
  auto reader = database->acquire_reader();
  if (!reader) return reader.failure();
  if ((*reader)->begin_read() != GANTRY_OK) return error{errc::io, std::string((*reader)->error_text())};
  auto restored = restore_timers(**reader);
  (*reader)->end_read();
  if (!restored) state(phase::failed);
  return restored;
}

result<void> instance::restore_timers(store::session& from) {
  gantry_db snapshot;
  snapshot.session = &from;
  restoring = true;
  result<void> out;
  for (const auto& t : declared.timers) {
    if (t.restore == nullptr) continue;
    const auto s = guarded([&] { return t.restore(t.user, &snapshot); }, "restore");
    snapshot.close_cursors();
    if (s == GANTRY_OK) continue;
    out = error{errc::internal, id_ + ": restoring timers of kind " + t.name + " failed with " + status_name(s) + ": " +
                                    std::string(last_failure())};
    break;
  }
  restoring = false;
  return out;
}

void instance::stop() {
  if (plugin == nullptr) return;
  guarded(
      [&] {
        plugin->stop(plugin->self);
        return GANTRY_OK;
      },
      "stop");
  state(phase::stopped);
}

result<void> instance::health() const {
  switch (state()) {
    case phase::running:
      break;
    case phase::created:
    case phase::setup:
    case phase::starting:
    case phase::stopping:
    case phase::stopped:
    case phase::failed:
      return error{errc::unavailable, "state is " + std::string(to_string(state()))};
  }
  const auto lane = writer->count();
  if (!lane.blocked.empty()) return error{errc::unavailable, lane.blocked};
  if (!lane.away.empty()) return error{errc::unavailable, "its store can't be reached: " + lane.away};
  if (const auto n = stalled.load(); n != 0)
    return error{errc::unavailable, std::to_string(n) + " workers are in its code and do not come back"};
  if (plugin->health == nullptr) return {};
  fail(GANTRY_OK, {});
  const auto s = guarded([&] { return plugin->health(plugin->self); }, "health");
  if (s == GANTRY_OK) return {};
  return error{errc::unavailable, last_failure().empty() ? status_name(s) : std::string(last_failure())};
}

const emission* instance::find_emission(std::string_view topic, std::string_view type) const noexcept {
  for (const auto& e : declared.emissions)
    if (e.type == type && e.topic == topic) return &e;
  return nullptr;
}

int instance::find_job(std::string_view name) const noexcept {
  for (std::size_t i = 0; i < declared.jobs.size(); ++i)
    if (declared.jobs[i].name == name) return static_cast<int>(i);
  return -1;
}

int instance::find_timer(std::string_view name) const noexcept {
  for (std::size_t i = 0; i < declared.timers.size(); ++i)
    if (declared.timers[i].name == name) return static_cast<int>(i);
  return -1;
}

bool instance::may_call(std::string_view plugin_id) const noexcept {
  return std::find(declared.calls.begin(), declared.calls.end(), plugin_id) != declared.calls.end();
}

}  // namespace gantry::runtime
