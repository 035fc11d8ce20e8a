#include "store/postgres/migrations.hpp"

#include <array>
#include <string>

#include "store/migration_plan.hpp"
#include "store/postgres/doubt.hpp"
#include "store/postgres/sql_text.hpp"

namespace gantry::store::postgres {
namespace {

error failed(const std::string& doing, const connection::refusal& why) {
  const auto code = why.sqlstate.empty() ? errc::unavailable : errc_of(status_of(why.sqlstate));
  return error{code, doing + ": " + why.text};
}

// One host at a time changes a schema. The lock ends with the connection at the latest.
class schema_lock {
 public:
  static std::optional<error> take(connection& on, std::string_view name) {
    connection::refusal why;
    const std::array params{std::string(name)};
    if (on.ask("SELECT pg_advisory_lock(hashtextextended('gantry schema ' || $1, 0))", params, why))
      return std::nullopt;
    return failed("the lock of the schema can't be taken", why);
  }
  static void give_back(connection& on, std::string_view name) {
    connection::refusal ignored;
    const std::array params{std::string(name)};
    on.ask("SELECT pg_advisory_unlock(hashtextextended('gantry schema ' || $1, 0))", params, ignored);
  }
};

result<std::string> current_schema(connection& on) {
  connection::refusal why;
  const auto rows = on.ask("SELECT current_schema()", {}, why);
  if (!rows) return failed("the schema can't be asked for", why);
  const auto& name = (*rows)[0][0];
  if (!name) return error{errc::invalid, "the database has no schema of this role to work in: name one (schema)"};
  return *name;
}

result<std::vector<recorded_step>> read_record(connection& on) {
  connection::refusal why;
  const auto rows = on.ask("SELECT number, sha256 FROM gantry_migrations ORDER BY number", {}, why);
  if (!rows) return failed("gantry_migrations can't be read", why);
  std::vector<recorded_step> recorded;
  for (const auto& row : *rows)
    recorded.push_back({static_cast<std::uint32_t>(std::stoul(row[0].value_or("0"))), row[1].value_or("")});
  return recorded;
}

result<void> apply(connection& on, const migration& step) {
  // A step that ended its own transaction would be recorded without being whole.
  std::vector<std::string_view> statements;
  failure_text refused;
  if (!split_script(step.sql, statements, refused)) {
    return error{errc_of(refused.status), title_of(step.number, step.name) + ": " + refused.text};
  }
  connection::refusal why;
  const std::array record{std::to_string(step.number), step.name, step.sha256};
  if (on.commit_script(step.sql,
                       "INSERT INTO gantry_migrations (number, name, sha256, applied_at) VALUES ($1::bigint, $2, $3,"
                       " to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"'))",
                       record, why))
    return {};
  return failed(title_of(step.number, step.name) + " failed and was undone", why);
}

result<void> make_record(connection& on) {
  connection::refusal why;
  if (on.ask("CREATE TABLE IF NOT EXISTS gantry_migrations (number bigint PRIMARY KEY, name text NOT NULL,"
             " sha256 text NOT NULL, applied_at text NOT NULL)",
             {}, why))
    return {};
  return failed("gantry_migrations can't be created", why);
}

result<migration_report> run_locked(connection& on, std::span<const migration* const> chosen, const migration_rules& rules) {
  if (auto made = make_record(on); !made) return std::move(made).failure();
  auto recorded = read_record(on);
  if (!recorded) return std::move(recorded).failure();
  auto applied = count_applied(*recorded, chosen, rules.ahead);
  if (!applied) return std::move(applied).failure();
  const auto to = last_due(chosen, *applied, rules);
  for (std::size_t i = *applied; i < to; ++i) {
    if (auto done = apply(on, *chosen[i]); !done) return std::move(done).failure();
  }
  return migration_report{static_cast<std::uint32_t>(*applied), static_cast<std::uint32_t>(to)};
}

}  // namespace

result<migration_report> run_migrations(connection& on, std::span<const migration> steps, const migration_rules& rules) {
  auto chosen = choose_variants(steps, "postgres");
  if (!chosen) return std::move(chosen).failure();
  auto schema = current_schema(on);
  if (!schema) return std::move(schema).failure();
  if (auto failure = schema_lock::take(on, *schema)) return std::move(*failure);
  auto report = run_locked(on, *chosen, rules);
  schema_lock::give_back(on, *schema);
  return report;
}

result<void> prepare_schema(connection& on, const std::string& schema) {
  connection::refusal why;
  if (auto failure = schema_lock::take(on, schema)) return std::move(*failure);
  const std::array name{schema};
  // Asked first: whoever may use a schema need not be allowed to make one.
  const auto there = on.ask("SELECT to_regnamespace(quote_ident($1)) IS NULL", name, why);
  if (!there) return failed("the schema can't be asked for", why);
  if (!schema.empty() && (*there)[0][0] == "t") {
    const auto quoted = on.ask("SELECT quote_ident($1)", name, why);
    if (!quoted || !on.ask("CREATE SCHEMA " + quoted->at(0).at(0).value_or(""), {}, why))
      return failed("the schema " + schema + " can't be made", why);
  }
  // In this schema, not in another one that the search path may also lead to.
  if (auto in = current_schema(on); !in) return std::move(in).failure();
  if (!on.ask(std::string(commit_table), {}, why)) return failed("gantry_commit can't be made", why);
  if (auto made = make_record(on); !made) return made;
  if (!on.ask(std::string(forget_old_commits), {}, why)) return failed("gantry_commit can't be tidied up", why);
  schema_lock::give_back(on, schema);
  return {};
}

}  // namespace gantry::store::postgres
