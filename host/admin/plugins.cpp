#include "admin/plugins.hpp"

#include <unistd.h>

#include "admin/event_json.hpp"
#include "base/text.hpp"
#include "http/problem.hpp"
#include "runtime/instance.hpp"
#include "supervisor/quarantine.hpp"

namespace gantry::admin {
namespace {

void append_list(std::string& out, std::string_view name, const std::vector<std::string>& items) {
  out.append(",\"").append(name).append("\":[");
  for (std::size_t i = 0; i < items.size(); ++i) {
    if (i != 0) out += ',';
    append_json_string(out, items[i]);
  }
  out += ']';
}

void append_counts(std::string& out, const runtime::probe& counts) {
  const auto add = [&](std::string_view name, const auto* counter) {
    if (counter != nullptr) append_member(out, name, counter->value());
  };
  add("requests", counts.requests);
  add("requestErrors", counts.request_errors);
  add("eventsHandled", counts.events_in);
  add("eventsEmitted", counts.events_out);
  add("eventsDuplicate", counts.events_dropped);
  add("eventErrors", counts.event_errors);
  add("eventsParked", counts.events_parked);
  add("transactions", counts.transactions);
  add("jobsDone", counts.jobs_done);
  add("jobErrors", counts.job_errors);
}

void append_row(std::string& out, const lifecycle::plugin_row& row, std::uint64_t lag) {
  out += '{';
  append_member(out, "id", row.id);
  append_member(out, "version", row.version);
  append_member(out, "generation", row.generation);
  append_member(out, "state", row.state);
  if (!row.error.empty()) append_member(out, "error", row.error);
  if (row.swapping) out += ",\"swapping\":true";
  append_member(out, "store", row.store);
  append_member(out, "routes", row.routes);
  append_list(out, "consumes", row.consumes);
  append_list(out, "emits", row.emits);
  append_member(out, "queue", row.counts.queue);
  append_member(out, "timers", row.counts.timers);
  append_member(out, "lag", lag);
  append_member(out, "parked", row.counts.parked);
  append_member(out, "outboxBytes", row.counts.outbox_bytes);
  if (!row.counts.blocked.empty()) append_member(out, "blocked", row.counts.blocked);
}

// Of each plugin that runs apart: its process's row, or that there is none.
std::string rows_of(apart& others) {
  constexpr std::string_view head = "{\"plugins\":[", tail = "]}";
  constexpr auto patience = std::chrono::milliseconds(1000);
  std::string out;
  for (const auto& one : ask_all(others, "/admin/plugins", patience)) {
    if (!out.empty()) out += ',';
    const std::string_view body = one.good() ? std::string_view(one.reply->body) : std::string_view();
    if (body.starts_with(head) && body.ends_with(tail) && body.size() > head.size() + tail.size()) {
      out += body.substr(head.size(), body.size() - head.size() - tail.size());
      continue;
    }
    out += '{';
    append_member(out, "id", one.plugin);
    append_member(out, "state", "down");
    append_member(out, "isolation", "process");
    append_member(out, "error", one.good() ? "its process answers what is no list" : one.why());
    out += '}';
  }
  return out;
}

}  // namespace

http::reply plugins(const lifecycle::plugin_set& set, bool isolated, apart* others, const topology::topology* model,
                    const std::string& home) {
  supervisor::quarantine confined;
  if (model != nullptr)
    if (auto known = supervisor::read_quarantine(supervisor::quarantine_path(*model->state, home)))
      confined = std::move(*known);
  std::string out = "{\"plugins\":[";
  bool first = true;
  const auto lags = set.measure_lags();
  for (const auto& row : set.rows()) {
    if (!first) out += ',';
    first = false;
    const auto lag = lags.find(row.id);
    append_row(out, row, lag == lags.end() ? 0 : lag->second);
    append_member(out, "isolation", isolated ? "process" : "none");
    if (const auto* const why = confined.find(row.id)) append_member(out, "quarantined", why->why);
    append_member(out, "pid", static_cast<std::uint64_t>(getpid()));
    if (const auto running = set.find(row.id)) append_counts(out, running->counts);
    out += '}';
  }
  if (others != nullptr) {
    const auto rows = rows_of(*others);
    if (!first && !rows.empty()) out += ',';
    out += rows;
  }
  return json_reply(out + "]}");
}

}  // namespace gantry::admin
