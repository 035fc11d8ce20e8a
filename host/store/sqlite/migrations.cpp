#include "store/sqlite/migrations.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <string>

#include "store/sqlite/status.hpp"

namespace gantry::store::sqlite {
namespace {

std::string title(std::uint32_t number, std::string_view name) {
  return "migration " + std::to_string(number) + " (" + std::string(name) + ")";
}

gantry_value text_value(std::string_view text) {
  gantry_value value{};
  value.type = GANTRY_TEXT;
  value.as.s = {text.data(), text.size()};
  return value;
}

gantry_value int_value(std::int64_t number) {
  gantry_value value{};
  value.type = GANTRY_INT;
  value.as.i = number;
  return value;
}

std::string read_text(cursor& from, std::size_t index) {
  gantry_value value{};
  if (from.column(index, value) != GANTRY_OK || value.type != GANTRY_TEXT) return {};
  return {value.as.s.ptr, value.as.s.len};
}

result<std::vector<recorded_step>> read_record(session& on) {
  const auto failure = [&on](gantry_status status) {
    return error{errc_of(status), "gantry_migrations can't be read: " + std::string(on.error_text())};
  };
  cursor* rows = nullptr;
  auto status = on.query("SELECT number, name, sha256 FROM gantry_migrations ORDER BY number", {}, &rows);
  if (status != GANTRY_OK) return failure(status);
  std::vector<recorded_step> recorded;
  while ((status = rows->next()) == GANTRY_OK) {
    gantry_value number{};
    rows->column(0, number);
    recorded.push_back({static_cast<std::uint32_t>(number.as.i), read_text(*rows, 1), read_text(*rows, 2)});
  }
  rows->close();
  if (status != GANTRY_DONE) return failure(status);
  return recorded;
}

result<void> apply(session& on, const migration& step) {
  gantry_status status = on.begin();
  const bool begun = status == GANTRY_OK;
  if (begun) status = on.script(step.sql);
  if (status == GANTRY_OK) {
    const std::array params{int_value(step.number), text_value(step.name), text_value(step.sha256)};
    status = on.exec(
        "INSERT INTO gantry_migrations (number, name, sha256, applied_at) "
        "VALUES ($1, $2, $3, strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))",
        params, nullptr);
  }
  if (status == GANTRY_OK) status = on.commit();
  if (status == GANTRY_OK) return {};
  std::string reason(on.error_text());
  if (begun) on.rollback();
  return error{errc_of(status), title(step.number, step.name) + " failed and was undone: " + reason};
}

}  // namespace

result<std::vector<const migration*>> choose_variants(std::span<const migration> steps, std::string_view driver) {
  std::map<std::uint32_t, const migration*> chosen;
  std::map<std::uint32_t, const migration*> seen;
  for (const auto& step : steps) {
    seen.emplace(step.number, &step);
    if (!step.driver.empty() && step.driver != driver) continue;
    auto& place = chosen[step.number];
    if (place && place->driver == step.driver) {
      return error{errc::invalid,
                   title(step.number, step.name) + " has the number of " + title(place->number, place->name)};
    }
    if (!place || place->driver.empty()) place = &step;
  }
  std::vector<const migration*> ordered;
  for (const auto& [number, first] : seen) {
    if (number != ordered.size() + 1) {
      return error{errc::invalid, "migrations are numbered from 1 without gaps: expected " +
                                      std::to_string(ordered.size() + 1) + ", found " + title(number, first->name)};
    }
    const auto found = chosen.find(number);
    if (found == chosen.end()) {
      return error{errc::invalid, title(number, first->name) + " has no variant for " + std::string(driver) +
                                      ": add one, or one for every driver"};
    }
    ordered.push_back(found->second);
  }
  return ordered;
}

result<std::size_t> count_applied(std::span<const recorded_step> recorded, std::span<const migration* const> chosen) {
  if (!recorded.empty() && recorded.back().number > chosen.size()) {
    return error{errc::invalid, "the schema is newer than the plugin: the database is at migration " +
                                    std::to_string(recorded.back().number) + ", the plugin knows " +
                                    std::to_string(chosen.size()) + ": run a newer plugin"};
  }
  for (std::size_t i = 0; i < recorded.size(); ++i) {
    if (recorded[i].number != i + 1) {
      return error{errc::invalid, "gantry_migrations has a gap: expected " + std::to_string(i + 1) + ", found " +
                                      std::to_string(recorded[i].number)};
    }
    if (recorded[i].sha256 != chosen[i]->sha256) {
      return error{errc::invalid, title(recorded[i].number, chosen[i]->name) +
                                      " was changed after it had run: sha256 " + recorded[i].sha256 +
                                      " is recorded, the plugin has " + chosen[i]->sha256 +
                                      ": add a new migration instead"};
    }
  }
  return recorded.size();
}

result<migration_report> run_migrations(session& on, std::span<const migration> steps, std::string_view driver) {
  auto chosen = choose_variants(steps, driver);
  if (!chosen) return std::move(chosen).failure();
  const auto status = on.script(
      "CREATE TABLE IF NOT EXISTS gantry_migrations (number INTEGER PRIMARY KEY,"
      " name TEXT NOT NULL, sha256 TEXT NOT NULL, applied_at TEXT NOT NULL)");
  if (status != GANTRY_OK) {
    return error{errc_of(status), "gantry_migrations can't be created: " + std::string(on.error_text())};
  }
  auto recorded = read_record(on);
  if (!recorded) return std::move(recorded).failure();
  auto applied = count_applied(*recorded, *chosen);
  if (!applied) return std::move(applied).failure();
  for (std::size_t i = *applied; i < chosen->size(); ++i) {
    if (auto done = apply(on, *(*chosen)[i]); !done) return std::move(done).failure();
  }
  return migration_report{static_cast<std::uint32_t>(*applied), static_cast<std::uint32_t>(chosen->size())};
}

}  // namespace gantry::store::sqlite
