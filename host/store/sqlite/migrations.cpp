#include "store/sqlite/migrations.hpp"

#include <array>
#include <string>

#include "store/migration_plan.hpp"
#include "store/sqlite/status.hpp"

namespace gantry::store::sqlite {
namespace {

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
  auto status = on.query("SELECT number, sha256 FROM gantry_migrations ORDER BY number", {}, &rows);
  if (status != GANTRY_OK) return failure(status);
  std::vector<recorded_step> recorded;
  while ((status = rows->next()) == GANTRY_OK) {
    gantry_value number{};
    rows->column(0, number);
    recorded.push_back({static_cast<std::uint32_t>(number.as.i), read_text(*rows, 1)});
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
  return error{errc_of(status), title_of(step.number, step.name) + " failed and was undone: " + reason};
}

}  // namespace

result<migration_report> run_migrations(session& on, std::span<const migration> steps, std::string_view driver,
                                        const migration_rules& rules) {
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
  auto applied = count_applied(*recorded, *chosen, rules.ahead);
  if (!applied) return std::move(applied).failure();
  const auto to = last_due(*chosen, *applied, rules);
  for (std::size_t i = *applied; i < to; ++i) {
    if (auto done = apply(on, *(*chosen)[i]); !done) return std::move(done).failure();
  }
  return migration_report{static_cast<std::uint32_t>(*applied), static_cast<std::uint32_t>(to)};
}

}  // namespace gantry::store::sqlite
