#include "recorder.hpp"

#include <chrono>
#include <cstdio>
#include <cstring>
#include <stdexcept>

#include "gantry/abi/bus.h"
#include "gantry/abi/call.h"
#include "gantry/abi/config.h"
#include "gantry/abi/handover.h"
#include "gantry/abi/http.h"
#include "gantry/abi/jobs.h"
#include "gantry/abi/log.h"
#include "gantry/abi/metrics.h"
#include "gantry/abi/saga.h"
#include "gantry/abi/store.h"
#include "gantry/json_writer.hpp"

namespace {

std::string text(gantry_str s) { return s.len == 0 ? std::string() : std::string(s.ptr, s.len); }

// A schema without the white space of its author, so that a manifest doesn't change with indentation.
void write_compact(gantry::json_writer& out, const gantry::json_view& v) {
  if (v.is_object()) {
    out.object();
    for (const auto [name, value] : v.members()) {
      out.key(name);
      write_compact(out, value);
    }
    out.end();
  } else if (v.is_array()) {
    out.array();
    for (const gantry::json_view element : v) write_compact(out, element);
    out.end();
  } else {
    out.value(v);
  }
}

// Refusals of what only a running host can do; of any signature.
template <typename... Args>
gantry_status refused(Args...) {
  return GANTRY_REFUSED;
}

}  // namespace

// The functions behind the tables. Each declaration notes which capability it needs.
struct recording {
  static recorder& of(const gantry_host* host) { return *static_cast<const recorder::facade*>(host)->owner; }

  template <typename Note>
  static gantry_status declare(const gantry_host* host, const char* capability, Note&& note) {
    recorder& r = of(host);
    if (!r.in_setup_) return r.fail(GANTRY_REFUSED, "only inside setup");
    r.needs_.insert(capability);
    return note(r) ? GANTRY_OK : r.fail(GANTRY_INVALID, std::string(capability) + ": declared twice");
  }

  static bool is_json_object(const std::string& schema) {
    gantry::json_error error;
    const auto parsed = gantry::json_document::try_parse(schema, error);
    return parsed && (parsed->root().is_object() || parsed->root().is_bool());
  }

  static gantry_status route(const gantry_host* host, const gantry_route* r) {
    return declare(host, GANTRY_HTTP_1, [r](recorder& to) {
      return to.routes_
          .emplace(std::tuple(text(r->method), text(r->pattern)), (r->flags & GANTRY_ROUTE_IDEMPOTENT) != 0)
          .second;
    });
  }

  static gantry_status subscribe(const gantry_host* host, const gantry_subscription* s) {
    const int set =
        (s->on_event != nullptr ? 1 : 0) + (s->on_batch != nullptr ? 1 : 0) + (s->observe != nullptr ? 1 : 0);
    if (set != 1) return of(host).fail(GANTRY_INVALID, "exactly one of on_event, on_batch and observe must be set");
    const char* mode = s->on_event != nullptr ? "event" : s->on_batch != nullptr ? "batch" : "observe";
    const char* start = s->start == GANTRY_START_LATEST ? "latest" : "earliest";
    return declare(host, GANTRY_BUS_1, [=](recorder& to) {
      return to.consumes_.emplace(text(s->topic), text(s->type), s->min_version, s->max_version, mode, start).second ||
             s->observe != nullptr;
    });
  }

  static gantry_status emits(const gantry_host* host, const gantry_emission* e) {
    const std::string schema = text(e->schema);
    if (!schema.empty() && !is_json_object(schema)) {
      return of(host).fail(GANTRY_INVALID, text(e->type) + ": its schema is not a JSON object");
    }
    return declare(host, GANTRY_BUS_1, [&](recorder& to) {
      return to.emits_.emplace(std::tuple(text(e->topic), text(e->type), e->version), schema).second;
    });
  }

  static gantry_status on_replay(const gantry_host* host, gantry_str topic, gantry_replay_handler, void*) {
    return declare(host, GANTRY_BUS_1, [topic](recorder& to) { return to.replays_.insert(text(topic)).second; });
  }

  static gantry_status migration(const gantry_host* host, const gantry_migration* m) {
    return declare(host, GANTRY_STORE_1, [m](recorder& to) {
      return to.migrations_.emplace(m->number, text(m->name), text(m->driver), text(m->sha256)).second;
    });
  }

  static gantry_status calls(const gantry_host* host, gantry_str plugin) {
    return declare(host, GANTRY_CALL_1, [plugin](recorder& to) {
      to.calls_.insert(text(plugin));
      return true;
    });
  }

  static gantry_status kind(const gantry_host* host, const gantry_job_kind* k) {
    return declare(host, GANTRY_JOBS_1, [k](recorder& to) { return to.jobs_.insert(text(k->name)).second; });
  }

  static gantry_status timer(const gantry_host* host, const gantry_timer_kind* k) {
    return declare(host, GANTRY_JOBS_1, [k](recorder& to) { return to.timers_.insert(text(k->name)).second; });
  }

  static gantry_status saga(const gantry_host* host, const gantry_saga* s) {
    return declare(host, GANTRY_SAGA_1, [s](recorder& to) { return to.sagas_.insert(text(s->name)).second; });
  }

  static gantry_status schema(const gantry_host* host, gantry_str json_schema) {
    if (!is_json_object(text(json_schema))) return of(host).fail(GANTRY_INVALID, "the schema is not a JSON object");
    return declare(host, GANTRY_CONFIG_1, [json_schema](recorder& to) {
      const bool first = to.config_schema_.empty();
      to.config_schema_ = text(json_schema);
      return first;
    });
  }

  static const void* capability(const gantry_host*, const char* id);
};

namespace {

constexpr gantry_http_1 http = {sizeof http, &recording::route, &refused, &refused,
                                [](gantry_context*, gantry_write_handler, void* user, void (*drop)(void*)) {
                                  if (drop != nullptr) drop(user);
                                  return gantry_status{GANTRY_REFUSED};
                                }};
constexpr gantry_bus_1 bus = {sizeof bus, &recording::subscribe, &recording::emits, &recording::on_replay, &refused};
constexpr gantry_store_1 store = {sizeof store,
                                  &recording::migration,
                                  [](gantry_tx*) -> gantry_db* { return nullptr; },
                                  &refused,
                                  &refused,
                                  &refused,
                                  &refused,
                                  &refused,
                                  &refused,
                                  [](gantry_cursor*) -> size_t { return 0; },
                                  &refused,
                                  [](gantry_cursor*) {},
                                  &refused,
                                  &refused,
                                  [](const gantry_host*) {
                                    return gantry_str{"sqlite", 6};
                                  },
                                  [](gantry_db*) -> uint64_t { return 0; }};
constexpr gantry_call_1 call = {sizeof call, &recording::calls, &refused, &refused, [](gantry_call_reply*) {}};
constexpr gantry_jobs_1 jobs = {sizeof jobs, &recording::kind, &recording::timer, &refused, &refused,
                                &refused,    &refused,         &refused,          &refused};
constexpr gantry_config_1 config = {sizeof config, &recording::schema, [](const gantry_host*) {
                                      return gantry_str{nullptr, 0};
                                    }};
constexpr gantry_log_1 log_table = {
    sizeof log_table, [](const gantry_host*, int32_t level) -> int32_t { return level >= GANTRY_LOG_WARN ? 1 : 0; },
    [](const gantry_host*, int32_t, gantry_str line, const gantry_field*, size_t) {
      std::fprintf(stderr, "%s\n", text(line).c_str());
    }};
constexpr gantry_metrics_1 metrics = {sizeof metrics,
                                      [](const gantry_host*, int32_t, gantry_str, gantry_str, const gantry_field*,
                                         size_t) -> gantry_metric* { return nullptr; },
                                      [](gantry_metric*, double) {}};
constexpr gantry_saga_1 saga = {sizeof saga, &recording::saga};

template <typename Set>
void write_texts(gantry::json_writer& out, std::string_view name, const Set& texts) {
  out.key(name).array();
  for (const std::string& each : texts) out.value(each);
  out.end();
}

void write_schema(gantry::json_writer& out, std::string_view name, const std::string& schema) {
  out.key(name);
  if (schema.empty()) {
    out.null();
  } else {
    write_compact(out, gantry::json_document::parse(schema).root());
  }
}

}  // namespace

const void* recording::capability(const gantry_host*, const char* id) {
  const std::pair<const char*, const void*> all[] = {
      {GANTRY_HTTP_1, &http},     {GANTRY_BUS_1, &bus},         {GANTRY_STORE_1, &store},
      {GANTRY_CALL_1, &call},     {GANTRY_JOBS_1, &jobs},       {GANTRY_CONFIG_1, &config},
      {GANTRY_LOG_1, &log_table}, {GANTRY_METRICS_1, &metrics}, {GANTRY_SAGA_1, &::saga}};
  for (const auto& [name, table] : all) {
    if (std::strcmp(name, id) == 0) return table;
  }
  return nullptr;
}

recorder::recorder() {
  host_.struct_size = sizeof(gantry_host);
  host_.owner = this;
  host_.capability = &recording::capability;
  host_.fail = [](const gantry_host* host, gantry_status code, gantry_str why) {
    return recording::of(host).fail(code, text(why));
  };
  host_.error = [](const gantry_host* host) {
    const std::string& error = recording::of(host).error_;
    return gantry_str{error.data(), error.size()};
  };
  host_.now_us = [](const gantry_host*) -> int64_t {
    return std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::system_clock::now().time_since_epoch())
        .count();
  };
  host_.new_id = [](const gantry_host*, char out[36]) { std::memcpy(out, "00000000-0000-7000-8000-000000000000", 36); };
}

void recorder::record(const gantry_entry& entry) {
  const gantry_instance* instance = nullptr;
  if (entry.create(&host_, &instance) != GANTRY_OK || instance == nullptr) {
    throw std::runtime_error("create failed: " + error_);
  }
  in_setup_ = true;
  const gantry_status status = instance->setup(instance->self);
  in_setup_ = false;
  if (status == GANTRY_OK && instance->capability != nullptr &&
      instance->capability(instance->self, GANTRY_HANDOVER_1) != nullptr) {
    offers_.insert(GANTRY_HANDOVER_1);
  }
  instance->destroy(instance->self);
  if (status != GANTRY_OK) throw std::runtime_error("setup failed: " + error_);
}

std::string recorder::manifest(const gantry_entry& entry, std::string_view build_id) const {
  gantry::json_writer out;
  out.object().field("id", entry.id).field("version", entry.version);
  out.field("abi", std::to_string(entry.abi_major) + "." + std::to_string(entry.abi_minor));
  out.field("sdk", entry.sdk).field("buildId", build_id);
  out.key("capabilities").object();
  write_texts(out, "needs", needs_);
  write_texts(out, "offers", offers_);
  out.end();
  out.key("routes").array();
  for (const auto& [route, idempotent] : routes_) {
    out.object().field("method", std::get<0>(route)).field("pattern", std::get<1>(route));
    out.field("idempotent", idempotent).end();
  }
  out.end();
  out.key("consumes").array();
  for (const auto& [topic, type, min_version, max_version, mode, start] : consumes_) {
    out.object().field("topic", topic).field("type", type).field("minVersion", min_version);
    out.field("maxVersion", max_version).field("mode", mode).field("start", start).end();
  }
  out.end();
  write_texts(out, "replays", replays_);
  out.key("emits").array();
  for (const auto& [event, schema] : emits_) {
    out.object().field("topic", std::get<0>(event)).field("type", std::get<1>(event));
    out.field("version", std::get<2>(event));
    write_schema(out, "schema", schema);
    out.end();
  }
  out.end();
  write_texts(out, "calls", calls_);
  write_texts(out, "jobs", jobs_);
  write_texts(out, "timers", timers_);
  write_texts(out, "sagas", sagas_);
  write_schema(out, "configSchema", config_schema_);
  out.key("migrations").array();
  for (const auto& [number, name, driver, sha256] : migrations_) {
    out.object().field("number", number).field("name", name).field("driver", driver).field("sha256", sha256).end();
  }
  out.end().end();
  return out.take();
}
