#include "admin/sagas.hpp"

#include <optional>
#include <vector>

#include "admin/event_json.hpp"
#include "base/uri.hpp"
#include "http/problem.hpp"
#include "runtime/instance.hpp"
#include "runtime/text.hpp"

namespace gantry::admin {
namespace {

constexpr auto patience = std::chrono::milliseconds(5000);

void keep(void* sink, gantry_str json) { *static_cast<std::string*>(sink) = runtime::view(json); }

// Nothing: the plugin has no saga of this key.
std::optional<http::reply> describe(const runtime::instance& owner, const std::string& key) {
  if (owner.state() != runtime::phase::running || owner.declared.sagas.empty() || !owner.database) return std::nullopt;
  auto reader = owner.database->acquire_reader();
  if (!reader) return http::problem(503, reader.failure().text);
  auto& session = **reader;
  if (session.begin_read() != GANTRY_OK) return http::problem(503, session.error_text());
  gantry_db snapshot;
  snapshot.session = &session;
  std::optional<http::reply> out;
  for (const auto& kind : owner.declared.sagas) {
    if (kind.describe == nullptr) continue;
    std::string json;
    runtime::fail(GANTRY_OK, {});
    const auto status = owner.guarded(
        [&] { return kind.describe(kind.user, &snapshot, runtime::str(key), keep, &json); }, "saga description");
    snapshot.close_cursors();
    if (status == GANTRY_NOT_FOUND) continue;
    if (status == GANTRY_OK && runtime::json_fault(json).empty() && !json.empty()) {
      out = json_reply(std::move(json));
    } else {
      out = http::problem(500, owner.id() + ": describing saga " + kind.name + " ended with " +
                                   runtime::status_name(status) + ": " + std::string(runtime::last_failure()));
    }
    break;
  }
  session.end_read();
  return out;
}

}  // namespace

http::reply saga(const lifecycle::plugin_set& set, const question& what, apart* others) {
  for (const auto& row : set.rows()) {
    if (!what.asked("plugin").empty() && what.asked("plugin") != row.id) continue;
    const auto running = set.find(row.id);
    if (!running) continue;
    if (auto found = describe(*running, what.names[0])) return std::move(*found);
  }
  std::vector<unanswered_plugin> unanswered;
  if (others != nullptr) {
    // One that was asked for by its name is asked in its own process.
    for (auto& one : ask_all(*others, "/admin/sagas/" + percent_encode(what.names[0]), patience)) {
      if (one.good() || (one.reply && one.reply->status == 500)) return std::move(*one.reply);
      if (!one.reply || one.reply->status != 404) unanswered.push_back({one.plugin, one.why()});
    }
  }
  if (!unanswered.empty()) {
    // None of those that have answered has it; whether there is one nobody knows.
    std::string out = "{";
    append_unanswered(out, unanswered);
    return json_reply(out + '}');
  }
  return http::problem(404, "no plugin of this host has a saga with the key " + what.names[0]);
}

}  // namespace gantry::admin
