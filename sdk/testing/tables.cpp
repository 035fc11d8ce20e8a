// The tables of the ABI, over the state of a fake host.
#include <algorithm>
#include <cstring>

#include "core.hpp"
#include "gantry/abi/call.h"
#include "gantry/abi/config.h"
#include "gantry/abi/log.h"
#include "gantry/abi/metrics.h"

namespace gantry::testing {
namespace {

using detail::str;
using detail::view;
using phase = fake_core::phase;

std::string text(gantry_str s) { return std::string(view(s)); }
gantry_str lent(std::string_view s) { return str(s); }

// ---- gantry.http/1

gantry_status declare(fake_core& c) { return c.only_in(phase::setup, "only inside setup"); }

gantry_status http_route(const gantry_host* host, const gantry_route* r) {
  fake_core& c = fake_core::of(host);
  const lock hold(c.mutex);
  if (declare(c) != GANTRY_OK) return GANTRY_REFUSED;
  route made{text(r->method), {}, (r->flags & GANTRY_ROUTE_IDEMPOTENT) != 0, r->handler, r->user};
  std::string_view pattern = view(r->pattern);
  if (!pattern.starts_with('/')) return c.fail(GANTRY_INVALID, "a pattern begins with '/': " + text(r->pattern));
  while (!pattern.empty()) {
    pattern.remove_prefix(1);
    const std::size_t end = std::min(pattern.find('/'), pattern.size());
    made.segments.emplace_back(pattern.substr(0, end));
    pattern.remove_prefix(end);
  }
  for (const route& other : c.routes) {
    if (other.method == made.method && other.segments == made.segments) {
      return c.fail(GANTRY_INVALID, "declared twice: " + made.method + " " + text(r->pattern));
    }
  }
  c.routes.push_back(std::move(made));
  return GANTRY_OK;
}

gantry_status make_reply(fake_core& c, std::int32_t status, const gantry_field* headers, std::size_t count,
                         gantry_str body, std::optional<call_reply>& out) {
  if (status < 100 || status > 599) return c.fail(GANTRY_INVALID, "status " + std::to_string(status));
  call_reply made(status, text(body));
  for (std::size_t i = 0; i < count; ++i) {
    std::string name = text(headers[i].name);
    std::ranges::transform(name, name.begin(), [](unsigned char ch) { return static_cast<char>(std::tolower(ch)); });
    const std::string value = text(headers[i].value);
    if (name.empty() || name.find_first_of(" :\r\n") != std::string::npos ||
        value.find_first_of(std::string_view("\r\n\0", 3)) != std::string::npos || name == "content-length" ||
        name == "date") {
      return c.fail(GANTRY_INVALID, "the header \"" + name + "\" is not allowed");
    }
    made.headers.emplace_back(std::move(name), value);
  }
  out = std::move(made);
  return GANTRY_OK;
}

gantry_status http_respond(gantry_context* context, std::int32_t status, const gantry_field* headers, std::size_t count,
                           gantry_str body) {
  progress& p = of(context);
  const lock hold(p.owner->mutex);
  if (!p.is_request) return p.owner->fail(GANTRY_REFUSED, "respond: a job has no reply");
  if (p.reply || p.write != nullptr) return p.owner->fail(GANTRY_REFUSED, "the request was answered already");
  return make_reply(*p.owner, status, headers, count, body, p.reply);
}

gantry_status http_respond_in(gantry_tx* tx, std::int32_t status, const gantry_field* headers, std::size_t count,
                              gantry_str body) {
  transaction& t = of(tx);
  const lock hold(t.owner->mutex);
  return make_reply(*t.owner, status, headers, count, body, t.reply);
}

gantry_status http_write(gantry_context* context, gantry_write_handler fn, void* user, void (*drop)(void*)) {
  progress& p = of(context);
  const lock hold(p.owner->mutex);
  if (!p.is_request || p.reply || p.write != nullptr) {
    if (drop != nullptr) drop(user);
    return p.owner->fail(GANTRY_REFUSED, "write: not a request, or it was answered already");
  }
  p.write = fn;
  p.write_user = user;
  p.drop = drop;
  return GANTRY_OK;
}

// ---- gantry.bus/1

gantry_status bus_subscribe(const gantry_host* host, const gantry_subscription* s) {
  fake_core& c = fake_core::of(host);
  const lock hold(c.mutex);
  if (declare(c) != GANTRY_OK) return GANTRY_REFUSED;
  const int handlers =
      (s->on_event != nullptr ? 1 : 0) + (s->on_batch != nullptr ? 1 : 0) + (s->observe != nullptr ? 1 : 0);
  if (handlers != 1) return c.fail(GANTRY_INVALID, "exactly one of on_event, on_batch and observe must be set");
  for (const subscription& other : c.subscriptions) {
    if (s->observe == nullptr && other.raw.observe == nullptr && other.topic == view(s->topic) &&
        other.type == view(s->type)) {
      return c.fail(GANTRY_INVALID, "two handlers of " + text(s->type) + " on " + text(s->topic));
    }
  }
  c.subscriptions.push_back({text(s->topic), text(s->type), *s});
  return GANTRY_OK;
}

gantry_status bus_emits(const gantry_host* host, const gantry_emission* e) {
  fake_core& c = fake_core::of(host);
  const lock hold(c.mutex);
  if (declare(c) != GANTRY_OK) return GANTRY_REFUSED;
  json_error wrong;
  if (e->schema.len > 0 && !json_document::try_parse(view(e->schema), wrong)) {
    return c.fail(GANTRY_INVALID, "the schema of " + text(e->type) + ": " + wrong.what());
  }
  c.emissions.emplace(text(e->topic), text(e->type));
  return GANTRY_OK;
}

gantry_status bus_on_replay(const gantry_host* host, gantry_str topic, gantry_replay_handler fn, void* user) {
  fake_core& c = fake_core::of(host);
  const lock hold(c.mutex);
  if (declare(c) != GANTRY_OK) return GANTRY_REFUSED;
  c.replays[text(topic)] = {fn, user};
  return GANTRY_OK;
}

gantry_status bus_emit(gantry_tx* tx, const gantry_emit* event, char id[36]) {
  transaction& t = of(tx);
  fake_core& c = *t.owner;
  const lock hold(c.mutex);
  emitted_event made{text(event->topic), text(event->type), text(event->key), text(event->data), {}};
  if (!c.emissions.contains({made.topic, made.type})) {
    return c.fail(GANTRY_REFUSED, made.type + " on " + made.topic + " was not declared with emits()");
  }
  if (made.key.empty() || made.key.size() > 255) {
    return c.fail(GANTRY_INVALID, made.type + ": a key has 1 to 255 bytes, found " + std::to_string(made.key.size()));
  }
  if (made.data.size() > 1024 * 1024) return c.fail(GANTRY_TOO_LARGE, made.type + ": more than 1 MiB");
  json_error wrong;
  if (!json_document::try_parse(made.data, wrong)) {
    return c.fail(GANTRY_INVALID, made.type + ": its data is not JSON: " + wrong.what());
  }
  made.id = c.next_id();
  if (id != nullptr) std::memcpy(id, made.id.data(), 36);
  t.events.push_back(std::move(made));
  return GANTRY_OK;
}

// ---- gantry.store/1

gantry_status store_migration(const gantry_host* host, const gantry_migration* m) {
  fake_core& c = fake_core::of(host);
  const lock hold(c.mutex);
  if (declare(c) != GANTRY_OK) return GANTRY_REFUSED;
  c.migrations.push_back(*m);
  return GANTRY_OK;
}

gantry_db* store_of(gantry_tx* tx) { return db_of(of(tx).owner); }

gantry_status store_snapshot(gantry_context* context, gantry_db** out) {
  fake_core& c = *of(context).owner;
  const lock hold(c.mutex);
  if (c.at != phase::pool) return c.fail(GANTRY_REFUSED, "snapshot: only in a request or job");
  *out = db_of(&c);
  return GANTRY_OK;
}

// What must hold before a statement runs; afterwards nothing is put off any more.
gantry_status ready(fake_core& c, bool writes) {
  if (writes && c.open == nullptr) return c.fail(GANTRY_REFUSED, "a change on a snapshot");
  return c.open == nullptr ? gantry_status{GANTRY_OK} : c.flush(*c.open);
}

gantry_status store_exec_many(gantry_db* db, gantry_str sql, const gantry_value* params, std::size_t columns,
                              std::size_t rows, std::int64_t* changes) {
  fake_core& c = of(db);
  const lock hold(c.mutex);
  const gantry_status status = ready(c, true);
  if (status != GANTRY_OK) return status;
  std::string why;
  const gantry_status ran = c.db.exec_many(view(sql), params, columns, rows, changes, why);
  return ran == GANTRY_OK ? ran : c.fail(ran, why);
}

gantry_status store_exec(gantry_db* db, gantry_str sql, const gantry_value* params, std::size_t count,
                         std::int64_t* changes) {
  return store_exec_many(db, sql, params, count, 1, changes);
}

gantry_status store_defer(gantry_db* db, gantry_str sql, const gantry_value* params, std::size_t count) {
  fake_core& c = of(db);
  const lock hold(c.mutex);
  if (c.open == nullptr) return c.fail(GANTRY_REFUSED, "a change on a snapshot");
  transaction::deferred& kept = c.open->later.emplace_back();
  kept.sql = text(sql);
  for (std::size_t i = 0; i < count; ++i) {
    gantry_value v = params[i];
    if (v.type == GANTRY_INT_ARRAY || v.type == GANTRY_TEXT_ARRAY) {
      c.open->later.pop_back();
      return store_exec(db, sql, params, count, nullptr);
    }
    if (v.type == GANTRY_TEXT || v.type == GANTRY_BLOB) {
      v.as.s = str(*kept.texts.emplace_back(std::make_unique<std::string>(view(v.as.s))));
    }
    kept.params.push_back(v);
  }
  return GANTRY_OK;
}

gantry_status store_query(gantry_db* db, gantry_str sql, const gantry_value* params, std::size_t count,
                          gantry_cursor** out) {
  fake_core& c = of(db);
  const lock hold(c.mutex);
  const gantry_status status = ready(c, false);
  if (status != GANTRY_OK) return status;
  if (c.cursors == 16) return c.fail(GANTRY_REFUSED, "more than 16 open cursors");
  auto made = std::make_unique<open_cursor>(open_cursor{&c, statement(c.db.raw(), view(sql))});
  if (made->of.status() != GANTRY_OK) return c.fail(made->of.status(), made->of.error());
  if (!made->of.read_only() && c.open == nullptr) return c.fail(GANTRY_REFUSED, "a change on a snapshot");
  if (made->of.bind(params, count) != GANTRY_OK) return c.fail(GANTRY_INVALID, made->of.error());
  ++c.cursors;
  *out = reinterpret_cast<gantry_cursor*>(made.release());
  return GANTRY_OK;
}

gantry_status store_next(gantry_cursor* cursor) {
  open_cursor& at = of(cursor);
  const lock hold(at.owner->mutex);
  const gantry_status status = at.of.step();
  return status == GANTRY_OK || status == GANTRY_DONE ? status : at.owner->fail(status, at.of.error());
}

std::size_t store_columns(gantry_cursor* cursor) { return of(cursor).of.columns(); }

gantry_status store_column(gantry_cursor* cursor, std::size_t index, gantry_value* out) {
  open_cursor& at = of(cursor);
  const lock hold(at.owner->mutex);
  if (at.of.column(index, *out) == GANTRY_OK) return GANTRY_OK;
  return at.owner->fail(GANTRY_INVALID,
                        "no row, or no column " + std::to_string(index) + " of " + std::to_string(at.of.columns()));
}

void store_close(gantry_cursor* cursor) {
  if (cursor == nullptr) return;
  const std::unique_ptr<open_cursor> at(&of(cursor));
  const lock hold(at->owner->mutex);
  --at->owner->cursors;
}

gantry_status store_write(const gantry_host* host, gantry_write_handler fn, void* user) {
  fake_core& c = fake_core::of(host);
  const lock hold(c.mutex);
  if (c.at == phase::lane || c.at == phase::setup)
    return c.fail(GANTRY_REFUSED, "write: inside a transaction or setup");
  return c.in_tx([=](gantry_tx* tx) { return fn(user, tx); }, nullptr, "write");
}

gantry_status store_write_async(const gantry_host* host, gantry_write_handler fn, void* user,
                                void (*done)(void*, gantry_status)) {
  fake_core& c = fake_core::of(host);
  const lock hold(c.mutex);
  if (c.at == phase::setup) return c.fail(GANTRY_REFUSED, "write_async: not inside setup");
  c.async.push_back({fn, user, done});
  if (c.at == phase::idle) c.run_async();
  return GANTRY_OK;
}

gantry_str store_driver(const gantry_host*) { return lent("sqlite"); }

std::uint64_t store_connection(gantry_db*) { return 1; }

// ---- gantry.jobs/1

gantry_status jobs_kind(const gantry_host* host, const gantry_job_kind* kind) {
  fake_core& c = fake_core::of(host);
  const lock hold(c.mutex);
  if (declare(c) != GANTRY_OK) return GANTRY_REFUSED;
  return c.job_kinds.emplace(text(kind->name), *kind).second ? gantry_status{GANTRY_OK}
                                                             : c.fail(GANTRY_INVALID, "declared twice");
}

gantry_status jobs_timer(const gantry_host* host, const gantry_timer_kind* kind) {
  fake_core& c = fake_core::of(host);
  const lock hold(c.mutex);
  if (declare(c) != GANTRY_OK) return GANTRY_REFUSED;
  return c.timer_kinds.emplace(text(kind->name), *kind).second ? gantry_status{GANTRY_OK}
                                                               : c.fail(GANTRY_INVALID, "declared twice");
}

// True when a job of this kind and key has not begun, as this transaction sees it.
bool waits(const transaction& t, std::string_view kind, std::string_view key) {
  const auto same = [&](const scheduled_job& job) { return job.kind == kind && job.key == key; };
  const auto planned =
      std::ranges::find_if(t.changes.rbegin(), t.changes.rend(), [&](const transaction::change& change) {
        return same(change.job) &&
               (change.kind == transaction::change_kind::schedule || change.kind == transaction::change_kind::cancel);
      });
  if (planned != t.changes.rend()) return planned->kind == transaction::change_kind::schedule;
  return std::ranges::any_of(t.owner->jobs, [&](const auto& job) { return same(job) && job.attempts == 0; });
}

gantry_status jobs_schedule(gantry_tx* tx, const gantry_schedule* job) {
  transaction& t = of(tx);
  fake_core& c = *t.owner;
  const lock hold(c.mutex);
  if (!c.job_kinds.contains(text(job->kind))) return c.fail(GANTRY_REFUSED, "no such kind of job: " + text(job->kind));
  if ((job->flags & GANTRY_SCHEDULE_NEW_KEY) != 0 && job->key.len != 0 && waits(t, view(job->kind), view(job->key)))
    return c.fail(GANTRY_INVALID, "schedule " + text(job->kind) + ": the key is said to be new, but a job of key " +
                                      text(job->key) + " waits");
  const instant due{std::max(job->at_us, c.clock.now().us)};
  t.changes.push_back(
      {transaction::change_kind::schedule, {c.next_id(), text(job->kind), text(job->key), text(job->payload), due}});
  return GANTRY_OK;
}

gantry_status jobs_cancel(gantry_tx* tx, gantry_str kind, gantry_str key) {
  transaction& t = of(tx);
  fake_core& c = *t.owner;
  const lock hold(c.mutex);
  if (!waits(t, view(kind), view(key))) return c.fail(GANTRY_NOT_FOUND, "no such job");
  t.changes.push_back({transaction::change_kind::cancel, {{}, text(kind), text(key), {}, {}}});
  return GANTRY_OK;
}

gantry_status change_timer(gantry_tx* tx, transaction::change_kind change, gantry_str kind, gantry_str key,
                           std::uint64_t delay_us) {
  transaction& t = of(tx);
  fake_core& c = *t.owner;
  const lock hold(c.mutex);
  if (!c.timer_kinds.contains(text(kind))) return c.fail(GANTRY_REFUSED, "no such kind of timer: " + text(kind));
  const instant due{c.clock.now().us + static_cast<std::int64_t>(delay_us)};
  t.changes.push_back({change, {{}, text(kind), text(key), {}, due}});
  return GANTRY_OK;
}

gantry_status jobs_arm(gantry_tx* tx, gantry_str kind, gantry_str key, std::uint64_t delay_us, std::uint32_t) {
  return change_timer(tx, transaction::change_kind::arm, kind, key, delay_us);
}

gantry_status jobs_disarm(gantry_tx* tx, gantry_str kind, gantry_str key) {
  return change_timer(tx, transaction::change_kind::disarm, kind, key, 0);
}

gantry_status jobs_rearm(const gantry_host* host, gantry_str kind, gantry_str key, std::uint64_t delay_us) {
  fake_core& c = fake_core::of(host);
  const lock hold(c.mutex);
  if (!c.restoring) return c.fail(GANTRY_REFUSED, "rearm: only inside restore");
  c.timers[{text(kind), text(key)}] = {c.clock.now().us + static_cast<std::int64_t>(delay_us)};
  return GANTRY_OK;
}

gantry_status jobs_set_result(gantry_context* context, gantry_str result) {
  progress& p = of(context);
  const lock hold(p.owner->mutex);
  if (p.is_request) return p.owner->fail(GANTRY_REFUSED, "set_result: only in a job");
  p.result = text(result);
  return GANTRY_OK;
}

// ---- gantry.call/1

gantry_status call_calls(const gantry_host* host, gantry_str plugin) {
  fake_core& c = fake_core::of(host);
  const lock hold(c.mutex);
  if (declare(c) != GANTRY_OK) return GANTRY_REFUSED;
  c.callees.insert(text(plugin));
  return GANTRY_OK;
}

// What a reply of the ABI refers to.
struct kept_reply {
  call_reply reply;
  std::vector<gantry_field> fields;
};

gantry_status answer(fake_core& c, const gantry_call& what, gantry_call_reply& out) {
  const std::string plugin = text(what.plugin);
  if (!c.callees.contains(plugin)) return c.fail(GANTRY_REFUSED, plugin + " was not declared with calls()");
  if (c.at == phase::lane) return c.fail(GANTRY_REFUSED, "a call inside a transaction");
  const auto stub = c.stubs.find(plugin);
  if (stub == c.stubs.end()) return c.fail(GANTRY_UNAVAILABLE, "no plugin " + plugin + ": stub it with on_call()");
  call_request asked{text(what.method), text(what.target), {}, text(what.body)};
  for (std::size_t i = 0; i < what.header_count; ++i) {
    asked.headers.emplace_back(text(what.headers[i].name), text(what.headers[i].value));
  }
  asked.timeout = std::chrono::microseconds(static_cast<std::int64_t>(what.timeout_us));
  auto kept = std::make_unique<kept_reply>();
  try {
    kept->reply = stub->second(asked);
  } catch (const failure& e) {
    return c.fail(e.status(), e.what());
  }
  for (const auto& [name, value] : kept->reply.headers) kept->fields.push_back({str(name), str(value)});
  out = {sizeof out, kept->reply.status, kept->fields.data(), kept->fields.size(), str(kept->reply.body), nullptr};
  out.owner = kept.release();
  return GANTRY_OK;
}

void call_release(gantry_call_reply* reply) {
  delete static_cast<kept_reply*>(reply->owner);
  *reply = {};
}

gantry_status call_call(gantry_context* context, const gantry_call* what, gantry_call_reply* out) {
  fake_core& c = *of(context).owner;
  const lock hold(c.mutex);
  return answer(c, *what, *out);
}

gantry_status call_async(const gantry_host* host, const gantry_call* what,
                         void (*done)(void*, gantry_status, const gantry_call_reply*), void* user) {
  fake_core& c = fake_core::of(host);
  gantry_call_reply reply{};
  gantry_status status = GANTRY_OK;
  {
    const lock hold(c.mutex);
    status = answer(c, *what, reply);
    if (status == GANTRY_REFUSED) return status;
  }
  done(user, status, status == GANTRY_OK ? &reply : nullptr);
  call_release(&reply);
  return GANTRY_OK;
}

// ---- config, log, metrics, saga

gantry_status config_schema(const gantry_host* host, gantry_str schema) {
  fake_core& c = fake_core::of(host);
  const lock hold(c.mutex);
  if (declare(c) != GANTRY_OK) return GANTRY_REFUSED;
  json_error wrong;
  if (!json_document::try_parse(view(schema), wrong)) return c.fail(GANTRY_INVALID, wrong.what());
  return GANTRY_OK;
}

gantry_str config_get(const gantry_host* host) {
  const fake_core& c = fake_core::of(host);
  return c.at == phase::setup ? gantry_str{nullptr, 0} : lent(c.config);
}

std::int32_t log_enabled(const gantry_host*, std::int32_t) { return 1; }

void log_write(const gantry_host* host, std::int32_t level, gantry_str line, const gantry_field* fields,
               std::size_t count) {
  fake_core& c = fake_core::of(host);
  const lock hold(c.mutex);
  log_line& made = c.lines.emplace_back(log_line{level, text(line), {}});
  for (std::size_t i = 0; i < count; ++i) made.fields.push_back(text(fields[i].name) + "=" + text(fields[i].value));
}

gantry_metric* metrics_series(const gantry_host* host, std::int32_t type, gantry_str name, gantry_str,
                              const gantry_field* labels, std::size_t count) {
  fake_core& c = fake_core::of(host);
  const lock hold(c.mutex);
  std::string id = text(name) + "{";
  for (std::size_t i = 0; i < count; ++i) id += text(labels[i].name) + "=" + text(labels[i].value) + ",";
  auto& slot = c.metrics[id];
  if (!slot) slot = std::make_unique<series>(series{&c, type, 0});
  return slot->type == type ? reinterpret_cast<gantry_metric*>(slot.get()) : nullptr;
}

void metrics_record(gantry_metric* metric, double value) {
  if (metric == nullptr) return;
  series& s = *reinterpret_cast<series*>(metric);
  const lock hold(s.owner->mutex);
  if (s.type == GANTRY_GAUGE) {
    s.value = value;
  } else if (value >= 0) {
    s.value += value;
  }
}

gantry_status saga_declare(const gantry_host* host, const gantry_saga* saga) {
  fake_core& c = fake_core::of(host);
  const lock hold(c.mutex);
  if (declare(c) != GANTRY_OK) return GANTRY_REFUSED;
  return c.sagas.emplace(text(saga->name), *saga).second ? gantry_status{GANTRY_OK}
                                                         : c.fail(GANTRY_INVALID, "declared twice");
}

constexpr gantry_http_1 http = {sizeof http, &http_route, &http_respond, &http_respond_in, &http_write};
constexpr gantry_bus_1 bus = {sizeof bus, &bus_subscribe, &bus_emits, &bus_on_replay, &bus_emit};
constexpr gantry_store_1 store = {sizeof store, &store_migration,   &store_of,     &store_snapshot,
                                  &store_exec,  &store_exec_many,   &store_defer,  &store_query,
                                  &store_next,  &store_columns,     &store_column, &store_close,
                                  &store_write, &store_write_async, &store_driver, &store_connection};
constexpr gantry_jobs_1 jobs = {sizeof jobs, &jobs_kind,   &jobs_timer, &jobs_schedule,  &jobs_cancel,
                                &jobs_arm,   &jobs_disarm, &jobs_rearm, &jobs_set_result};
constexpr gantry_call_1 call = {sizeof call, &call_calls, &call_call, &call_async, &call_release};
constexpr gantry_config_1 config = {sizeof config, &config_schema, &config_get};
constexpr gantry_log_1 log_table = {sizeof log_table, &log_enabled, &log_write};
constexpr gantry_metrics_1 metrics = {sizeof metrics, &metrics_series, &metrics_record};
constexpr gantry_saga_1 saga = {sizeof saga, &saga_declare};

}  // namespace

const void* capability_table(const char* id) {
  const std::pair<const char*, const void*> all[] = {
      {GANTRY_HTTP_1, &http},     {GANTRY_BUS_1, &bus},         {GANTRY_STORE_1, &store},
      {GANTRY_CALL_1, &call},     {GANTRY_JOBS_1, &jobs},       {GANTRY_CONFIG_1, &config},
      {GANTRY_LOG_1, &log_table}, {GANTRY_METRICS_1, &metrics}, {GANTRY_SAGA_1, &saga}};
  for (const auto& [name, table] : all) {
    if (std::strcmp(name, id) == 0) return table;
  }
  return nullptr;
}

}  // namespace gantry::testing
