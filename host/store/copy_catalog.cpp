#include "store/copy_catalog.hpp"

#include <algorithm>
#include <array>

namespace gantry::store {
namespace {

constexpr std::string_view sqlite_tables =
    "SELECT name, type = 'virtual' FROM pragma_table_list WHERE schema = 'main' AND type IN ('table', 'virtual')"
    " AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name";
// hidden 1: of a virtual table; 2 and 3: generated.
constexpr std::string_view sqlite_columns =
    "SELECT name, type, \"notnull\", dflt_value IS NOT NULL, hidden, pk FROM pragma_table_xinfo($1) ORDER BY cid";

constexpr std::string_view postgres_columns =
    "SELECT c.relname::text, a.attname::text, format_type(a.atttypid, a.atttypmod)::text, a.attnotnull,"
    " a.atthasdef OR a.attidentity <> '', a.attgenerated <> '',"
    " EXISTS (SELECT 1 FROM pg_index i WHERE i.indrelid = c.oid AND i.indisprimary AND a.attnum = ANY (i.indkey))"
    " FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
    " JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped"
    " WHERE n.nspname = current_schema() AND c.relkind IN ('r', 'p') ORDER BY c.relname, a.attnum";
constexpr std::string_view postgres_sequences =
    "SELECT s.relname::text, coalesce(t.relname::text, ''), coalesce(a.attname::text, '')"
    " FROM pg_class s JOIN pg_namespace n ON n.oid = s.relnamespace"
    " LEFT JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = s.oid"
    " AND d.refclassid = 'pg_class'::regclass AND d.deptype IN ('a', 'i')"
    " LEFT JOIN pg_class t ON t.oid = d.refobjid"
    " LEFT JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid"
    " WHERE n.nspname = current_schema() AND s.relkind = 'S' ORDER BY s.relname";
constexpr std::string_view postgres_references =
    "SELECT c.relname::text, k.conname::text, pg_get_constraintdef(k.oid)"
    " FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace"
    " WHERE n.nspname = current_schema() AND k.contype = 'f' ORDER BY c.relname, k.conname";

result<void> read_sqlite(session& from, copy_catalog& out) {
  auto done = for_each_row(from, sqlite_tables, {}, [&](cursor& row) -> result<void> {
    copy_table found;
    found.name = text_of(row, 0);
    found.is_virtual = integer_of(row, 1) != 0;
    out.tables.push_back(std::move(found));
    return {};
  });
  for (auto& table : out.tables) {
    if (!done || table.is_virtual) continue;
    const std::array params{text_parameter(table.name)};
    done = for_each_row(from, sqlite_columns, params, [&](cursor& row) -> result<void> {
      copy_column column;
      column.name = text_of(row, 0);
      column.type = text_of(row, 1);
      column.not_null = integer_of(row, 2) != 0;
      column.has_default = integer_of(row, 3) != 0;
      column.generated = integer_of(row, 4) >= 2;
      column.key = integer_of(row, 5) != 0;
      table.columns.push_back(std::move(column));
      return {};
    });
  }
  return done;
}

result<void> read_postgres(session& from, copy_catalog& out) {
  auto done = for_each_row(from, postgres_columns, {}, [&](cursor& row) -> result<void> {
    const auto table = text_of(row, 0);
    if (out.tables.empty() || out.tables.back().name != table) {
      copy_table next;
      next.name = table;
      out.tables.push_back(std::move(next));
    }
    copy_column column;
    column.name = text_of(row, 1);
    column.type = text_of(row, 2);
    column.not_null = integer_of(row, 3) != 0;
    column.has_default = integer_of(row, 4) != 0;
    column.generated = integer_of(row, 5) != 0;
    column.key = integer_of(row, 6) != 0;
    out.tables.back().columns.push_back(std::move(column));
    return {};
  });
  if (!done) return done;
  done = for_each_row(from, postgres_sequences, {}, [&](cursor& row) -> result<void> {
    out.sequences.push_back({text_of(row, 0), text_of(row, 1), text_of(row, 2)});
    return {};
  });
  if (!done) return done;
  return for_each_row(from, postgres_references, {}, [&](cursor& row) -> result<void> {
    out.references.push_back({text_of(row, 0), text_of(row, 1), text_of(row, 2)});
    return {};
  });
}

}  // namespace

const copy_table* copy_catalog::find(std::string_view table) const noexcept {
  const auto at = std::find_if(tables.begin(), tables.end(), [&](const auto& t) { return t.name == table; });
  return at == tables.end() ? nullptr : &*at;
}

result<copy_catalog> read_catalog(session& from, std::string_view driver) {
  copy_catalog out;
  auto done = driver == "sqlite" ? read_sqlite(from, out) : read_postgres(from, out);
  if (!done) return done.failure();
  return out;
}

std::string quoted(std::string_view name) {
  std::string out = "\"";
  for (const char c : name) out.append(c == '"' ? 2 : 1, c);
  return out + "\"";
}

result<void> for_each_row(session& from, std::string_view sql, std::span<const gantry_value> params,
                          const std::function<result<void>(cursor&)>& row) {
  cursor* rows = nullptr;
  if (from.query(sql, params, &rows) != GANTRY_OK) return error{errc::io, std::string(from.error_text())};
  gantry_status next = GANTRY_OK;
  result<void> done;
  while (done && (next = rows->next()) == GANTRY_OK) done = row(*rows);
  if (done && next != GANTRY_DONE) done = error{errc::io, std::string(from.error_text())};
  rows->close();
  return done;
}

std::string text_of(cursor& row, std::size_t column) {
  gantry_value found{};
  if (row.column(column, found) != GANTRY_OK) return {};
  if (found.type == GANTRY_INT) return std::to_string(found.as.i);
  if (found.type == GANTRY_REAL) return std::to_string(found.as.r);
  if (found.type != GANTRY_TEXT && found.type != GANTRY_BLOB) return {};
  return {found.as.s.ptr, found.as.s.len};
}

std::int64_t integer_of(cursor& row, std::size_t column) {
  gantry_value found{};
  return row.column(column, found) == GANTRY_OK && found.type == GANTRY_INT ? found.as.i : 0;
}

gantry_value text_parameter(std::string_view text) noexcept {
  gantry_value out{};
  out.type = GANTRY_TEXT;
  out.as.s = {text.data(), text.size()};
  return out;
}

}  // namespace gantry::store
