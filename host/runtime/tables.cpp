#include "runtime/tables.hpp"

#include <algorithm>
#include <array>
#include <string>
#include <string_view>

#include "gantry/abi/bus.h"
#include "gantry/abi/call.h"
#include "gantry/abi/config.h"
#include "gantry/abi/http.h"
#include "gantry/abi/jobs.h"
#include "gantry/abi/log.h"
#include "gantry/abi/metrics.h"
#include "gantry/abi/saga.h"
#include "gantry/abi/store.h"
#include "observability/log.hpp"
#include "runtime/instance.hpp"
#include "runtime/text.hpp"

namespace gantry::runtime {
namespace {

struct capability {
  std::string_view id;
  const void* (*table)() noexcept;
};
constexpr std::array<capability, 9> capabilities = {{{GANTRY_HTTP_1, http_table},
                                                     {GANTRY_BUS_1, bus_table},
                                                     {GANTRY_STORE_1, store_table},
                                                     {GANTRY_JOBS_1, jobs_table},
                                                     {GANTRY_CALL_1, call_table},
                                                     {GANTRY_CONFIG_1, config_table},
                                                     {GANTRY_LOG_1, log_table},
                                                     {GANTRY_METRICS_1, metrics_table},
                                                     {GANTRY_SAGA_1, saga_table}}};

constexpr std::size_t max_log_fields = 32;

gantry_str get_config(const gantry_host* host) { return str(instance::of(host).config); }

gantry_status declare_schema(const gantry_host* host, gantry_str schema) {
  auto& self = instance::of(host);
  if (self.state() != phase::setup) return fail(GANTRY_REFUSED, "config.schema is for setup only");
  if (const auto fault = json_fault(view(schema)); !fault.empty())
    return fail(GANTRY_INVALID, "config.schema is not JSON: " + std::string(fault));
  self.declared.config_schema = view(schema);
  return GANTRY_OK;
}

std::int32_t log_enabled(const gantry_host*, std::int32_t level) {
  return observability::enabled(static_cast<observability::level>(level)) ? 1 : 0;
}

void log_write(const gantry_host* host, std::int32_t level, gantry_str text, const gantry_field* fields,
               std::size_t count) {
  const auto value = static_cast<observability::level>(std::clamp<std::int32_t>(level, GANTRY_LOG_DEBUG, GANTRY_LOG_ERROR));
  if (!observability::enabled(value)) return;
  const auto& self = instance::of(host);
  std::array<observability::field, max_log_fields> copied;
  const std::size_t n = std::min(count, copied.size());
  for (std::size_t i = 0; i < n; ++i) copied[i] = {view(fields[i].name), view(fields[i].value)};
  // A plugin's own thread has no context yet.
  auto context = observability::current_work();
  context.plugin = self.id();
  context.generation = self.generation();
  const observability::work_scope scope(context);
  observability::log(value, view(text), std::span<const observability::field>(copied.data(), n));
}

// A series with its type, so that record() knows what to do.
struct series {
  std::int32_t type = 0;
  observability::counter* counter = nullptr;
  observability::gauge* gauge = nullptr;
  observability::histogram* histogram = nullptr;
};

gantry_metric* make_series(const gantry_host* host, std::int32_t type, gantry_str name, gantry_str help,
                           const gantry_field* labels, std::size_t label_count) {
  auto& self = instance::of(host);
  observability::labels with;
  for (std::size_t i = 0; i < label_count; ++i)
    with.push_back({std::string(view(labels[i].name)), std::string(view(labels[i].value))});
  std::string full = "plugin_" + self.id() + "_" + std::string(view(name));
  std::replace(full.begin(), full.end(), '-', '_');
  auto& m = *self.around.metrics;
  auto out = std::make_unique<series>();
  out->type = type;
  const auto keep = [&](auto made, auto& slot) {
    if (!made) {
      fail(GANTRY_INVALID, made.failure().text);
      return false;
    }
    slot = *made;
    return true;
  };
  bool good = false;
  switch (type) {
    case GANTRY_COUNTER: good = keep(m.get_counter(full, view(help), with, self.metrics_owner), out->counter); break;
    case GANTRY_GAUGE: good = keep(m.get_gauge(full, view(help), with, self.metrics_owner), out->gauge); break;
    case GANTRY_HISTOGRAM: good = keep(m.get_histogram(full, view(help), with, self.metrics_owner), out->histogram); break;
    default: fail(GANTRY_INVALID, "metric type " + std::to_string(type) + ", expected 0 to 2"); break;
  }
  if (!good) return nullptr;
  const std::lock_guard lock(self.series_mutex);
  self.series.emplace_back(out.release(), [](void* s) { delete static_cast<series*>(s); });
  return reinterpret_cast<gantry_metric*>(self.series.back().get());
}

void record(gantry_metric* metric, double value) {
  if (metric == nullptr) return;
  auto& s = *reinterpret_cast<series*>(metric);
  if (s.counter != nullptr && value > 0) s.counter->add(static_cast<std::uint64_t>(value));
  if (s.gauge != nullptr) s.gauge->set(value);
  if (s.histogram != nullptr) s.histogram->observe_seconds(value);
}

gantry_status declare_saga(const gantry_host* host, const gantry_saga* saga) {
  auto& self = instance::of(host);
  if (self.state() != phase::setup) return fail(GANTRY_REFUSED, "saga.declare is for setup only");
  if (saga == nullptr || saga->describe == nullptr || saga->name.len == 0)
    return fail(GANTRY_INVALID, "a saga needs a name and a describe function");
  self.declared.sagas.push_back({std::string(view(saga->name)), saga->describe, saga->user});
  return GANTRY_OK;
}

}  // namespace

const void* find_capability(const gantry_host*, const char* id) {
  if (id == nullptr) return nullptr;
  for (const auto& c : capabilities)
    if (c.id == id) return c.table();
  return nullptr;
}

const void* config_table() noexcept {
  static constexpr gantry_config_1 table = {sizeof table, declare_schema, get_config};
  return &table;
}
const void* log_table() noexcept {
  static constexpr gantry_log_1 table = {sizeof table, log_enabled, log_write};
  return &table;
}
const void* metrics_table() noexcept {
  static constexpr gantry_metrics_1 table = {sizeof table, make_series, record};
  return &table;
}
const void* saga_table() noexcept {
  static constexpr gantry_saga_1 table = {sizeof table, declare_saga};
  return &table;
}

}  // namespace gantry::runtime
