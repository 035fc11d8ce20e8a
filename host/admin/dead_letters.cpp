#include "admin/dead_letters.hpp"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <optional>
#include <vector>

#include "admin/dead_letter_writes.hpp"
#include "admin/event_json.hpp"
#include "base/text.hpp"
#include "http/problem.hpp"
#include "runtime/instance.hpp"
#include "runtime/text.hpp"
#include "runtime/values.hpp"

namespace gantry::admin {
namespace {

using runtime::integer_at;
using runtime::text_at;
using runtime::value;

constexpr std::int64_t listed_at_most = 1000;
constexpr std::chrono::milliseconds patience{5000};

bool is_number(std::string_view id) noexcept {
  return !id.empty() && id.size() <= 18 &&
         std::all_of(id.begin(), id.end(), [](char c) { return c >= '0' && c <= '9'; });
}

std::int64_t number(std::string_view text, std::int64_t otherwise) noexcept {
  std::int64_t out = otherwise;
  std::from_chars(text.data(), text.data() + text.size(), out);
  return out;
}

// Columns: id, topic, part, position, key, type, event_id, source, error, attempts, parked_at.
constexpr std::string_view event_columns =
    "SELECT id, topic, part, position, key, type, event_id, source, error, attempts, parked_at, record FROM "
    "gantry_parked";
// Columns: id, kind, key, error, attempt, due, correlation, payload.
constexpr std::string_view job_columns =
    "SELECT id, kind, key, error, attempt, due, correlation, payload FROM gantry_job WHERE state = 2";

void append_parked(std::string& out, store::cursor& row, std::string_view plugin, bool whole) {
  out += '{';
  append_member(out, "plugin", plugin);
  append_member(out, "id", std::to_string(integer_at(row, 0)));
  append_member(out, "what", "event");
  append_member(out, "topic", text_at(row, 1));
  append_member(out, "partition", static_cast<std::uint64_t>(integer_at(row, 2)));
  append_member(out, "offset", static_cast<std::uint64_t>(integer_at(row, 3)));
  append_member(out, "key", text_at(row, 4));
  append_member(out, "type", text_at(row, 5));
  append_member(out, "eventId", text_at(row, 6));
  append_member(out, "source", text_at(row, 7));
  append_member(out, "error", text_at(row, 8));
  append_member(out, "attempts", static_cast<std::uint64_t>(integer_at(row, 9)));
  out += ",\"parkedAt\":";
  append_time(out, integer_at(row, 10));
  if (whole) {
    auto bytes = text_at(row, 11);
    auto record = bus::decode(bytes);
    out += ",\"event\":";
    if (record) {
      record->offset = static_cast<std::uint64_t>(integer_at(row, 3));
      record->source = text_at(row, 7);
      append_event(out, text_at(row, 1), static_cast<std::uint32_t>(integer_at(row, 2)), *record);
    } else {
      append_json_string(out, record.failure().text);
    }
  }
  out += '}';
}

void append_job(std::string& out, store::cursor& row, std::string_view plugin, bool whole) {
  out += '{';
  append_member(out, "plugin", plugin);
  append_member(out, "id", text_at(row, 0));
  append_member(out, "what", "job");
  append_member(out, "kind", text_at(row, 1));
  append_member(out, "key", text_at(row, 2));
  append_member(out, "error", text_at(row, 3));
  append_member(out, "attempts", static_cast<std::uint64_t>(integer_at(row, 4)));
  append_member(out, "correlationId", text_at(row, 6));
  out += ",\"dueAt\":";
  append_time(out, integer_at(row, 5));
  if (whole) {
    out += ",\"payload\":";
    append_json_or_text(out, text_at(row, 7));
  }
  out += '}';
}

// A snapshot of a plugin's store, for as long as this lives.
class snapshot {
 public:
  explicit snapshot(const runtime::instance& owner) {
    auto reader = owner.database->acquire_reader();
    if (!reader) {
      fault_ = reader.failure().text;
      return;
    }
    session_ = std::move(*reader);
    if (session_->begin_read() != GANTRY_OK) {
      fault_ = session_->error_text();
      session_.reset();
    }
  }
  ~snapshot() {
    if (session_) session_->end_read();
  }
  snapshot(const snapshot&) = delete;
  snapshot& operator=(const snapshot&) = delete;

  // Calls `see` for each row. False: it failed, fault() says why.
  template <typename F>
  bool each(const std::string& sql, std::span<const gantry_value> params, F&& see) {
    if (!session_) return false;
    store::cursor* rows = nullptr;
    if (session_->query(sql, params, &rows) != GANTRY_OK) {
      fault_ = session_->error_text();
      return false;
    }
    auto status = rows->next();
    for (; status == GANTRY_OK; status = rows->next()) see(*rows);
    rows->close();
    if (status == GANTRY_DONE) return true;
    fault_ = session_->error_text();
    return false;
  }
  const std::string& fault() const noexcept { return fault_; }

 private:
  std::unique_ptr<store::session> session_;
  std::string fault_;
};

// The items of another process's list; whether it was cut. Nothing: it is no list.
std::optional<bool> append_items(std::string& out, std::string_view list) {
  constexpr std::string_view head = "{\"items\":[", tail = "],\"truncated\":";
  const auto end = list.rfind(tail);
  if (!list.starts_with(head) || end == std::string_view::npos || end < head.size()) return std::nullopt;
  if (out.back() != '[' && end != head.size()) out += ',';
  out += list.substr(head.size(), end - head.size());
  return list.substr(end + tail.size()).starts_with("true");
}

http::reply no_plugin(const std::string& name) {
  return http::problem(404, "plugin " + name + " does not run on this host");
}

}  // namespace

http::reply dead_letters(const lifecycle::plugin_set& set, const question& what, apart* others) {
  const auto asked = what.asked("plugin");
  const auto limit = std::clamp<std::int64_t>(number(what.asked("limit"), listed_at_most), 1, listed_at_most);
  if (!asked.empty() && !set.find(std::string(asked))) return no_plugin(std::string(asked));
  std::string out = "{\"items\":[";
  bool truncated = false;
  std::vector<unanswered_plugin> unanswered;
  for (const auto& row : set.rows()) {
    const auto running = set.find(row.id);
    if (!running || !running->database || (!asked.empty() && asked != row.id)) continue;
    snapshot store(*running);
    const gantry_value most[] = {value(limit + 1)};
    std::int64_t seen = 0;
    const auto list = [&](auto append) {
      seen = 0;
      return [&, append](store::cursor& found) {
        if (++seen > limit) {
          truncated = true;
          return;
        }
        if (out.back() != '[') out += ',';
        append(out, found, row.id, false);
      };
    };
    if (!store.each(std::string(event_columns) + " ORDER BY id LIMIT $1", most, list(append_parked)) ||
        !store.each(std::string(job_columns) + " ORDER BY id LIMIT $1", most, list(append_job))) {
      if (!asked.empty()) return http::problem(503, row.id + ": " + store.fault());
      unanswered.push_back({row.id, store.fault()});
    }
  }
  if (others != nullptr && asked.empty()) {
    for (const auto& one : ask_all(*others, "/admin/dlq?limit=" + std::to_string(limit), patience)) {
      const auto cut = one.good() ? append_items(out, one.reply->body) : std::nullopt;
      if (!cut) unanswered.push_back({one.plugin, one.good() ? "its process answers what is no list" : one.why()});
      // Its own store: it has no other plugin.
      if (cut && one.reply->body.ends_with("}]}"))
        unanswered.push_back({one.plugin, "its process can't read its store"});
      truncated = cut.value_or(false) || truncated;
    }
  }
  out += truncated ? "],\"truncated\":true" : "],\"truncated\":false";
  if (!unanswered.empty()) append_unanswered(out, unanswered);
  out += '}';
  return json_reply(std::move(out));
}

http::reply dead_letter(const lifecycle::plugin_set& set, const question& what) {
  const auto& plugin = what.names[0];
  const auto& id = what.names[1];
  const auto running = set.find(plugin);
  if (!running) return no_plugin(plugin);
  snapshot store(*running);
  std::string out;
  bool good = false;
  if (is_number(id)) {
    const gantry_value which[] = {value(number(id, 0))};
    good = store.each(std::string(event_columns) + " WHERE id = $1", which,
                      [&](store::cursor& row) { append_parked(out, row, plugin, true); });
  } else {
    const gantry_value which[] = {value(std::string_view(id))};
    good = store.each(std::string(job_columns) + " AND id = $1", which,
                      [&](store::cursor& row) { append_job(out, row, plugin, true); });
  }
  if (!good) return http::problem(503, plugin + ": " + store.fault());
  if (out.empty()) return http::problem(404, plugin + " has nothing parked with the id " + id);
  return json_reply(std::move(out));
}

void replay_dead_letter(const lifecycle::plugin_set& set, const question& what, http::responder&& out) {
  const auto running = set.find(what.names[0]);
  if (!running) {
    out.send(no_plugin(what.names[0]));
    return;
  }
  if (running->state() != runtime::phase::running) {
    out.send(http::problem(
        503, running->id() + " is not running: its state is " + std::string(runtime::to_string(running->state()))));
    return;
  }
  const auto& id = what.names[1];
  answering_write::enqueue(running, is_number(id) ? replay_parked(*running, number(id, 0), std::move(out))
                                                  : replay_job(*running, id, std::move(out)));
}

void discard_dead_letter(const lifecycle::plugin_set& set, const question& what, http::responder&& out) {
  const auto running = set.find(what.names[0]);
  if (!running) {
    out.send(no_plugin(what.names[0]));
    return;
  }
  const auto& id = what.names[1];
  answering_write::enqueue(running, is_number(id) ? discard_parked(*running, number(id, 0), std::move(out))
                                                  : discard_job(*running, id, std::move(out)));
}

}  // namespace gantry::admin
