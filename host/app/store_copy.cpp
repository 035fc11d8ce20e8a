#include "app/store_copy.hpp"

#include <algorithm>
#include <array>
#include <filesystem>
#include <map>
#include <memory>

#include "app/stores.hpp"
#include "app/unread.hpp"
#include "base/clock.hpp"
#include "bus/local/local_bus.hpp"
#include "lifecycle/loading.hpp"
#include "loader/discover.hpp"
#include "observability/metrics.hpp"
#include "runtime/carry.hpp"
#include "runtime/idempotency.hpp"
#include "store/migration_plan.hpp"

namespace gantry::app {
namespace {

using topology::bus_driver;
using topology::store_driver;

// A row of gantry_meta, from before the first change until the commit of the copy: what is there then may be
// overwritten.
constexpr std::string_view mark = "copying";

error of(const std::string& plugin, const error& e) { return {e.code, plugin + ": " + e.text}; }

std::string listed(const std::vector<std::string>& all) {
  std::string out;
  for (const auto& each : all) out += (out.empty() ? "" : ", ") + each;
  return out;
}

const topology::store_settings& store_of(const topology::topology& model, const std::string& plugin) {
  return model.stores.at(*model.plugins.at(plugin).store);
}

bool same_store(const topology::topology& a, const topology::topology& b, const std::string& plugin) {
  const auto& x = store_of(a, plugin);
  const auto& y = store_of(b, plugin);
  if (*x.driver != *y.driver) return false;
  const auto same = [&](const auto& p, const auto& q) {
    return topology::for_plugin(*p, plugin) == topology::for_plugin(*q, plugin);
  };
  return *x.driver == store_driver::sqlite ? same(x.path, y.path) : *x.url == *y.url && same(x.schema, y.schema);
}

bool same_bus(const topology::bus_settings& a, const topology::bus_settings& b) {
  if (*a.driver != *b.driver) return false;
  return *a.driver == bus_driver::local ? *a.path == *b.path : *a.brokers == *b.brokers;
}

result<std::vector<std::string>> choose(const topology::topology& from, const topology::topology& to,
                                        const std::vector<std::string>& asked) {
  std::vector<std::string> out;
  for (const auto& plugin : asked) {
    for (const auto* model : {&from, &to})
      if (!model->plugins.contains(plugin)) return error{errc::not_found, model->file + " has no plugin " + plugin};
    if (same_store(from, to, plugin)) return error{errc::invalid, plugin + " has the same store in both topologies"};
    out.push_back(plugin);
  }
  if (asked.empty()) {
    for (const auto& [plugin, settings] : from.plugins)
      if (to.plugins.contains(plugin) && !same_store(from, to, plugin)) out.push_back(plugin);
  }
  for (const auto& plugin : out) {
    if (*store_of(from, plugin).driver == store_driver::sqlite &&
        *store_of(to, plugin).driver == store_driver::postgres)
      continue;
    return error{errc::unsupported, plugin +
                                        ": a store is copied from SQLite to PostgreSQL only. From SQLite to SQLite copy"
                                        " the file while no host runs; from PostgreSQL to PostgreSQL use pg_dump"};
  }
  return out;
}

// A plugin's store of the old topology, locked, and a snapshot of it.
struct opened_source {
  std::unique_ptr<store::store> store;
  std::unique_ptr<store::session> snapshot;
};

result<opened_source> open_source(const topology::topology& model, const std::string& plugin) {
  const auto& settings = store_of(model, plugin);
  // To open a file that is not there would make it.
  if (*settings.driver == store_driver::sqlite) {
    const auto file = topology::for_plugin(*settings.path, plugin);
    if (!std::filesystem::exists(file))
      return error{errc::not_found,
                   plugin + ": found no store at " + file + ": relative paths count from this directory"};
  }
  opened_source out;
  auto opened = open_store(model, plugin);
  if (!opened) return of(plugin, opened.failure());
  out.store = std::move(*opened);
  auto reader = out.store->acquire_reader();
  if (!reader) return of(plugin, reader.failure());
  out.snapshot = std::move(*reader);
  if (out.snapshot->begin_read() != GANTRY_OK)
    return error{errc::io, plugin + ": " + std::string(out.snapshot->error_text())};
  return out;
}

using sources = std::map<std::string, opened_source>;

result<void> check_bus(const topology::topology& from, const topology::topology& to, const sources& all) {
  if (same_bus(from.bus, to.bus)) return {};
  if (*from.bus.driver != bus_driver::local)
    return error{errc::unsupported, "bus: positions move from the local bus to another, not from Kafka to another bus"};
  if (!std::filesystem::exists(*from.bus.path))
    return error{errc::not_found,
                 "bus: found no journal at " + *from.bus.path + ": relative paths count from this directory"};
  auto found = loader::discover(from);
  if (!found.problems.empty()) return error{errc::invalid, topology::to_text(found.problems.front())};
  std::map<std::string, store::session*> stores;
  for (const auto& [plugin, source] : all) {
    if (!found.manifests.contains(plugin)) return error{errc::not_found, plugin + ": found no file on plugin_path"};
    stores.emplace(plugin, source.snapshot.get());
  }
  bus::local_bus_options options;
  options.directory = *from.bus.path;
  auto events = bus::open_local_bus(options);
  if (!events) return error{events.failure().code, "bus: " + events.failure().text};
  const auto unread = unread_events(from, to, **events, found.manifests, stores);
  if (!unread) return error{unread.failure().code, "bus: " + unread.failure().text};
  if (unread->empty()) return {};
  return error{errc::conflict, "run the old topology until it is idle: " + listed(*unread)};
}

// One plugin on its way.
struct moving {
  std::string plugin;
  const opened_source* source = nullptr;
  std::vector<store::migration> migrations;
  std::unique_ptr<store::store> target;
  std::unique_ptr<store::session> writer;
  store::copy_plan plan;
};

error refused(const moving& m, std::string_view what) {
  return {errc::io, m.plugin + ": " + std::string(what) + ": " + std::string(m.writer->error_text())};
}

// The plugin's file is that of the new topology, which has to go on with what it finds.
result<void> learn_migrations(const topology::topology& to, observability::registry& metrics, moving& m) {
  const auto declared = lifecycle::declared_plugin::load(to, m.plugin, system_clock(), metrics);
  if (!declared) return declared.failure();
  m.migrations = (*declared)->migrations();
  std::vector<store::recorded_step> recorded;
  auto done = store::for_each_row(
      *m.source->snapshot, "SELECT number, sha256 FROM gantry_migrations ORDER BY number", {},
      [&](store::cursor& row) -> result<void> {
        recorded.push_back({static_cast<std::uint32_t>(store::integer_of(row, 0)), store::text_of(row, 1)});
        return {};
      });
  if (!done) return done;
  const auto chosen = store::choose_variants(m.migrations, m.source->store->driver());
  if (!chosen) return chosen.failure();
  const auto applied = store::count_applied(recorded, *chosen);
  if (!applied) return applied.failure();
  if (*applied == chosen->size()) return {};
  return error{errc::invalid, m.source->store->describe() + " is at migration " + std::to_string(*applied) +
                                  ", the plugin has " + std::to_string(chosen->size()) +
                                  ": run the old topology once with this plugin"};
}

result<bool> has_mark(store::session& target, const store::copy_catalog& catalog) {
  if (catalog.find("gantry_meta") == nullptr) return false;
  bool found = false;
  const std::array name{store::text_parameter(mark)};
  auto done = store::for_each_row(target, "SELECT 1 FROM gantry_meta WHERE name = $1", name,
                                  [&](store::cursor&) -> result<void> {
                                    found = true;
                                    return {};
                                  });
  if (!done) return done.failure();
  return found;
}

result<void> open_target(const topology::topology& to, moving& m) {
  auto opened = open_store(to, m.plugin);
  if (!opened) return opened.failure();
  m.target = std::move(*opened);
  auto writer = m.target->open_writer();
  if (!writer) return writer.failure();
  m.writer = std::move(*writer);
  const auto catalog = store::read_catalog(*m.writer, m.target->driver());
  if (!catalog) return catalog.failure();
  const auto broken_off = has_mark(*m.writer, *catalog);
  if (!broken_off) return broken_off.failure();
  const auto found = store::rows_found(*m.writer, *catalog);
  if (!found) return found.failure();
  if (found->empty() || *broken_off) return {};
  return error{errc::conflict, m.target->describe() + " is not empty (" + listed(*found) +
                                   "): expected a new schema; drop this one first if its rows may go"};
}

result<void> make_schema(moving& m) {
  const auto whence = m.source->store->describe();
  const std::array row{store::text_parameter(mark), store::text_parameter(whence)};
  const bool good =
      m.writer->begin() == GANTRY_OK &&
      m.writer->script(runtime::schema_of(m.target->driver(), m.target->shared())) == GANTRY_OK &&
      m.writer->exec("INSERT INTO gantry_meta (name, content) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING", row,
                     nullptr) == GANTRY_OK &&
      m.writer->commit() == GANTRY_OK;
  if (!good) {
    const auto why = refused(m, "making the runtime's tables");
    m.writer->rollback();
    return why;
  }
  const auto migrated = m.target->migrate(m.migrations);
  if (!migrated) return of(m.plugin, migrated.failure());
  const auto source = store::read_catalog(*m.source->snapshot, m.source->store->driver());
  if (!source) return of(m.plugin, source.failure());
  const auto target = store::read_catalog(*m.writer, m.target->driver());
  if (!target) return of(m.plugin, target.failure());
  const auto notes = store::read_copy_notes(m.migrations);
  if (!notes) return of(m.plugin, notes.failure());
  auto plan = store::plan_copy(*m.source->snapshot, *source, *target, *notes);
  if (!plan) return of(m.plugin, plan.failure());
  m.plan = std::move(*plan);
  return {};
}

result<copied_plugin> copy(moving& m) {
  if (m.writer->begin() != GANTRY_OK) return refused(m, "beginning");
  auto tables = store::copy_rows(*m.source->snapshot, *m.writer, m.plan);
  result<void> done;
  if (!tables) done = tables.failure();
  if (done && m.target->shared()) done = runtime::spread_idempotency_rows(*m.writer);
  if (done && m.writer->commit() != GANTRY_OK)
    done = error{errc::io, "committing: " + std::string(m.writer->error_text())};
  if (!done) {
    m.writer->rollback();
    return error{done.failure().code, m.plugin + ": nothing was copied: " + done.failure().text};
  }
  return copied_plugin{m.plugin, m.source->store->describe(), m.target->describe(), std::move(*tables),
                       m.plan.left_out};
}

}  // namespace

result<std::vector<copied_plugin>> copy_stores(const topology::topology& from, const topology::topology& to,
                                               const std::vector<std::string>& plugins) {
  const auto chosen = choose(from, to, plugins);
  if (!chosen) return chosen.failure();
  if (chosen->empty() && same_bus(from.bus, to.bus))
    return error{errc::invalid,
                 from.file + " and " + to.file + " have the same stores and the same bus: nothing to copy"};
  sources opened;
  for (const auto& [plugin, settings] : from.plugins) {
    if (same_bus(from.bus, to.bus) && std::find(chosen->begin(), chosen->end(), plugin) == chosen->end()) continue;
    auto source = open_source(from, plugin);
    if (!source) return source.failure();
    opened.emplace(plugin, std::move(*source));
  }
  if (auto done = check_bus(from, to, opened); !done) return done.failure();
  observability::registry metrics;
  std::vector<moving> all(chosen->size());
  for (std::size_t i = 0; i < all.size(); ++i) {
    auto& m = all[i];
    m.plugin = (*chosen)[i];
    m.source = &opened.at(m.plugin);
    if (auto done = learn_migrations(to, metrics, m); !done) return of(m.plugin, done.failure());
    if (auto done = open_target(to, m); !done) return of(m.plugin, done.failure());
  }
  for (auto& m : all) {
    if (auto done = make_schema(m); !done) return done.failure();
    if (auto done = store::check_rows(*m.source->snapshot, m.plan); !done) return of(m.plugin, done.failure());
  }
  std::vector<copied_plugin> out;
  for (auto& m : all) {
    auto copied = copy(m);
    if (!copied) {
      std::string rest;
      for (auto i = out.size(); !out.empty() && i < all.size(); ++i) rest += " " + all[i].plugin;
      return error{copied.failure().code,
                   copied.failure().text + (rest.empty() ? "" : "; those before it are copied, go on with:" + rest)};
    }
    out.push_back(std::move(*copied));
  }
  return out;
}

}  // namespace gantry::app
