// What plugins show of themselves: readiness, series, rows.
#include <algorithm>

#include "lifecycle/plugin_set.hpp"
#include "observability/log.hpp"

namespace gantry::lifecycle {

using observability::log_warn;

void plugin_set::watch(entry& e) {
  // By its name: what stands under it may become another entry, which is as ready or not as it is.
  parts_.checks->add(observability::health_kind::ready, e.id, [this, id = e.id]() -> result<void> {
    std::shared_ptr<runtime::instance> running;
    {
      const std::lock_guard lock(mutex_);
      const auto* const at = find_entry(id);
      if (at == nullptr) return {};
      if (!at->error.empty()) return error{errc::unavailable, at->error};
      running = at->running;
    }
    return running->health();
  });
  show_figures(e);
}

// By series of the generation that works now. Those that ask the lane go before it does; the instance's own are plugin
// code's to the end.
void plugin_set::show_figures(entry& e) {
  if (!e.running || !e.running->writer) return;
  auto* const lane = e.running->writer.get();
  auto& m = *parts_.metrics;
  if (e.figures == 0) e.figures = m.new_owner();
  const auto gauge = [&](const char* name, const char* help, auto read) {
    if (const auto done = m.watch(observability::metric_type::gauge, name, help, {{"plugin", e.id}}, read, e.figures);
        !done)
      log_warn("A metric could not be added.", {{"metric", name}, {"error", done.failure().text}});
  };
  gauge("gantry_write_queue", "Writes that wait for the write lane.",
        [lane] { return static_cast<double>(lane->count().queue); });
  gauge("gantry_outbox_bytes", "Bytes of committed events that the bus has not acknowledged.",
        [lane] { return static_cast<double>(lane->count().outbox_bytes); });
  gauge("gantry_store_up", "1 while the plugin's store can be reached and takes writes.",
        [lane] { return lane->count().writable ? 1.0 : 0.0; });
  gauge("gantry_relay_leader", "1 when this host hands over what the hosts of the plugin's store have committed.",
        [lane] { return lane->leads() ? 1.0 : 0.0; });
  gauge("gantry_parked_events", "Events parked in the plugin's store.",
        [lane] { return static_cast<double>(lane->count().parked); });
  // Not asked under the registry's lock: the bus may wait for its servers.
  constexpr const char* lag = "gantry_consumer_lag";
  auto made = m.get_gauge(lag, "Events on the plugin's topics that it has not handled, when the bus could last say.",
                          {{"plugin", e.id}}, e.running->metrics_owner);
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

std::vector<plugin_row> plugin_set::rows() const {
  std::vector<plugin_row> out;
  const std::lock_guard lock(mutex_);
  for (const auto& e : entries_) {
    auto& row = out.emplace_back();
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
  }
  return out;
}

}  // namespace gantry::lifecycle
