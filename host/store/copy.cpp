#include "store/copy.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <string_view>

#include "base/utf8.hpp"

namespace gantry::store {
namespace {

constexpr std::size_t rows_at_once = 500;
constexpr std::size_t bytes_at_once = std::size_t{1} << 20;
constexpr std::int64_t blocks_at_once = 256;

// Of a store's own life, not of its content.
bool stays_behind(std::string_view table) {
  return table == "gantry_migrations" || table == "gantry_commit" || table == "gantry_lease" || table == "gantry_running" ||
         table == "gantry_idempotency_run";
}

bool starts_with(std::string_view type, std::string_view word) { return type.substr(0, word.size()) == word; }
bool holds_bytes(const copy_column& c) { return c.type == "bytea"; }
bool holds_text(const copy_column& c) { return c.type == "text" || starts_with(c.type, "character"); }
// What comes back from the target just as it was given.
bool comparable(const copy_column& c) {
  return holds_bytes(c) || holds_text(c) || c.type == "bigint" || c.type == "integer" || c.type == "smallint" ||
         c.type == "double precision";
}

std::string names_of(const std::vector<copy_column>& columns) {
  std::string out;
  for (const auto& c : columns) out += (out.empty() ? "" : ", ") + quoted(c.name);
  return out;
}

std::uint64_t mixed(std::uint64_t x) noexcept {  // the finisher of SplitMix64
  x = (x ^ (x >> 30U)) * 0xBF58476D1CE4E5B9ULL;
  x = (x ^ (x >> 27U)) * 0x94D049BB133111EBULL;
  return x ^ (x >> 31U);
}

// A sum over rows, so that their order does not matter.
class row_sum {
 public:
  void add(const gantry_value& v) noexcept {
    row_ = mixed(row_ + static_cast<std::uint64_t>(v.type) + 1);
    switch (v.type) {
      case GANTRY_INT:
        row_ = mixed(row_ ^ static_cast<std::uint64_t>(v.as.i));
        break;
      case GANTRY_REAL:
        row_ = mixed(row_ ^ std::bit_cast<std::uint64_t>(v.as.r));
        break;
      case GANTRY_TEXT:
      case GANTRY_BLOB:
        add_bytes({v.as.s.ptr, v.as.s.len});
        break;
      default:
        break;
    }
  }
  void end_row() noexcept {
    sum_ += mixed(row_);
    row_ = 0;
    ++rows_;
  }
  std::uint64_t sum() const noexcept { return sum_; }
  std::uint64_t rows() const noexcept { return rows_; }

 private:
  void add_bytes(std::string_view bytes) noexcept {
    row_ = mixed(row_ ^ bytes.size());
    for (; !bytes.empty(); bytes.remove_prefix(std::min<std::size_t>(8, bytes.size()))) {
      std::uint64_t word = 0;
      std::memcpy(&word, bytes.data(), std::min<std::size_t>(8, bytes.size()));
      row_ = mixed(row_ ^ word);
    }
  }

  std::uint64_t row_ = 0;
  std::uint64_t sum_ = 0;
  std::uint64_t rows_ = 0;
};

// Rows on their way: the cursor's bytes don't outlive its row.
class row_batch {
 public:
  void add(const gantry_value& v) {
    values_.push_back(v);
    if (v.type != GANTRY_TEXT && v.type != GANTRY_BLOB) return;
    places_.push_back({values_.size() - 1, bytes_.size()});
    bytes_.append(v.as.s.ptr == nullptr ? "" : v.as.s.ptr, v.as.s.len);
  }
  std::span<const gantry_value> values() {
    for (const auto& p : places_) values_[p.value].as.s.ptr = bytes_.data() + p.at;
    return values_;
  }
  std::size_t bytes() const noexcept { return bytes_.size(); }
  std::size_t size() const noexcept { return values_.size(); }
  void clear() {
    values_.clear();
    places_.clear();
    bytes_.clear();
  }

 private:
  struct place {
    std::size_t value;
    std::size_t at;
  };
  std::vector<gantry_value> values_;
  std::vector<place> places_;
  std::string bytes_;
};

error about(const std::string& table, std::string_view text) {
  return {errc::io, "table " + table + ": " + std::string(text)};
}

// "order_id=..., n=3": by which a person finds the row.
std::string key_of(cursor& row, const copy_plan::table& table, std::uint64_t number) {
  std::string out;
  for (const auto& name : table.key) {
    const auto at =
        std::find_if(table.columns.begin(), table.columns.end(), [&](const auto& c) { return c.name == name; });
    if (at == table.columns.end()) continue;
    auto text = text_of(row, static_cast<std::size_t>(at - table.columns.begin()));
    for (char& c : text)
      if (static_cast<unsigned char>(c) < 0x20 || static_cast<unsigned char>(c) >= 0x7F) c = '?';
    out += (out.empty() ? "" : ", ") + name + "=" + text;
  }
  return out.empty() ? "row " + std::to_string(number) : out;
}

// Why the target can't hold it; empty: it can. A text for a column of bytes becomes bytes.
std::string fit(gantry_value& v, const copy_column& to) {
  if (v.type == GANTRY_TEXT && holds_bytes(to)) v.type = GANTRY_BLOB;
  if (v.type == GANTRY_BLOB && !holds_bytes(to)) return "bytes, where the target has " + to.type;
  if (v.type != GANTRY_TEXT) return {};
  const std::string_view text(v.as.s.ptr == nullptr ? "" : v.as.s.ptr, v.as.s.len);
  if (text.find('\0') != std::string_view::npos) return "a text with a zero byte, which PostgreSQL does not store";
  if (!is_utf8(text)) return "a text that is not UTF-8";
  if (!holds_text(to) && comparable(to)) return "a text, where the target has " + to.type;
  return {};
}

// Each row of the source as the target takes it, valid until the next.
result<void> for_each_fitting_row(session& from, const copy_plan::table& table,
                                  const std::function<result<void>(std::span<const gantry_value>)>& take) {
  std::vector<gantry_value> values(table.columns.size());
  std::uint64_t number = 0;
  const auto sql = "SELECT " + names_of(table.columns) + " FROM " + quoted(table.name);
  auto done = for_each_row(from, sql, {}, [&](cursor& row) -> result<void> {
    ++number;
    for (std::size_t i = 0; i < values.size(); ++i) {
      if (row.column(i, values[i]) != GANTRY_OK) return error{errc::io, std::string(from.error_text())};
      if (const auto why = fit(values[i], table.columns[i]); !why.empty())
        return error{errc::invalid,
                     "column " + table.columns[i].name + ", " + key_of(row, table, number) + ": holds " + why};
    }
    return take(values);
  });
  if (!done) return error{done.failure().code, "table " + table.name + ", " + done.failure().text};
  return done;
}

result<row_sum> copy_table_rows(session& from, session& to, const copy_plan::table& table) {
  const auto width = table.columns.size();
  std::string insert =
      "INSERT INTO " + quoted(table.name) + " (" + names_of(table.columns) + ") OVERRIDING SYSTEM VALUE VALUES (";
  for (std::size_t i = 1; i <= width; ++i) insert += (i == 1 ? "$" : ", $") + std::to_string(i);
  insert += ")";
  row_batch batch;
  row_sum sum;
  const auto flush = [&]() -> result<void> {
    if (batch.size() == 0) return {};
    if (to.exec_many(insert, batch.values(), width, batch.size() / width, nullptr) != GANTRY_OK)
      return error{errc::io, std::string(to.error_text())};
    batch.clear();
    return {};
  };
  auto done = for_each_fitting_row(from, table, [&](std::span<const gantry_value> values) -> result<void> {
    for (std::size_t i = 0; i < width; ++i) {
      if (comparable(table.columns[i])) sum.add(values[i]);
      batch.add(values[i]);
    }
    sum.end_row();
    return batch.size() >= rows_at_once * width || batch.bytes() >= bytes_at_once ? flush() : result<void>();
  });
  if (done) done = flush();
  if (!done) return done.failure();
  return sum;
}

// A query's rows come whole with its answer, so a table is read some blocks at a time.
result<row_sum> sum_of_target(session& to, const copy_plan::table& table) {
  std::int64_t blocks = 0;
  const std::array name{text_parameter(table.name)};
  auto done = for_each_row(to,
                           "SELECT pg_relation_size(to_regclass(quote_ident(CAST($1 AS text)))) /"
                           " CAST(current_setting('block_size') AS bigint)",
                           name, [&](cursor& row) -> result<void> {
                             blocks = integer_of(row, 0);
                             return {};
                           });
  row_sum sum;
  const std::string sql = "SELECT " + names_of(table.columns) + " FROM " + quoted(table.name) +
                          " WHERE ctid >= CAST(CAST($1 AS text) AS tid) AND ctid < CAST(CAST($2 AS text) AS tid)";
  for (std::int64_t at = 0; done && at < blocks; at += blocks_at_once) {
    const auto first = "(" + std::to_string(at) + ",0)";
    const auto last = "(" + std::to_string(at + blocks_at_once) + ",0)";
    const std::array range{text_parameter(first), text_parameter(last)};
    done = for_each_row(to, sql, range, [&](cursor& row) -> result<void> {
      for (std::size_t i = 0; i < table.columns.size(); ++i) {
        gantry_value v{};
        if (row.column(i, v) != GANTRY_OK) return about(table.name, to.error_text());
        if (comparable(table.columns[i])) sum.add(v);
      }
      sum.end_row();
      return {};
    });
  }
  if (!done) return about(table.name, done.failure().text);
  return sum;
}

result<void> set_sequences(session& to, const copy_plan& plan) {
  for (const auto& s : plan.sequences) {
    const std::array name{text_parameter(s.name)};
    const auto column = "max(" + quoted(s.column) + ")";
    auto done = for_each_row(to,
                             "SELECT setval(to_regclass(quote_ident(CAST($1 AS text))), " + column + ") FROM " +
                                 quoted(s.table) + " HAVING " + column + " >= 1",
                             name, [](cursor&) { return result<void>(); });
    if (!done) return error{errc::io, "sequence " + s.name + ": " + done.failure().text};
  }
  return {};
}

result<void> run_script(session& on, const std::string& sql) {
  if (on.script(sql) == GANTRY_OK) return {};
  return error{errc::io, std::string(on.error_text())};
}

}  // namespace

result<void> check_rows(session& from, const copy_plan& plan) {
  for (const auto& t : plan.tables)
    if (auto done = for_each_fitting_row(from, t, [](auto) { return result<void>(); }); !done) return done;
  return {};
}

result<std::vector<copied_table>> copy_rows(session& from, session& to, const copy_plan& plan) {
  // A row may refer to one that comes later: what they refer to is checked when all are there.
  std::string untie;
  std::string tie;
  for (const auto& r : plan.references) {
    const auto of = "ALTER TABLE " + quoted(r.table);
    untie += of + " DROP CONSTRAINT " + quoted(r.name) + ";";
    tie += of + " ADD CONSTRAINT " + quoted(r.name) + " " + r.definition + ";";
  }
  for (const auto& t : plan.tables) untie += "DELETE FROM " + quoted(t.name) + ";";
  if (auto done = run_script(to, untie); !done) return done.failure();
  std::vector<copied_table> out;
  for (const auto& t : plan.tables) {
    const auto given = copy_table_rows(from, to, t);
    if (!given) return given.failure();
    const auto taken = sum_of_target(to, t);
    if (!taken) return taken.failure();
    if (given->rows() != taken->rows() || given->sum() != taken->sum())
      return error{errc::corrupt, "table " + t.name + ": the target has " + std::to_string(taken->rows()) +
                                      " rows with checksum " + std::to_string(taken->sum()) + ", the source " +
                                      std::to_string(given->rows()) + " with " + std::to_string(given->sum())};
    out.push_back({t.name, given->rows(), given->sum()});
  }
  if (auto done = run_script(to, tie); !done) return done.failure();
  if (auto done = set_sequences(to, plan); !done) return done.failure();
  return out;
}

result<std::vector<std::string>> rows_found(session& target, const copy_catalog& catalog) {
  std::vector<std::string> out;
  for (const auto& t : catalog.tables) {
    if (stays_behind(t.name)) continue;
    auto done = for_each_row(target, "SELECT count(*) FROM " + quoted(t.name), {}, [&](cursor& row) -> result<void> {
      if (const auto n = integer_of(row, 0); n != 0) out.push_back(t.name + ": " + std::to_string(n) + " rows");
      return {};
    });
    if (!done) return done.failure();
  }
  return out;
}

result<copy_plan> plan_copy(session& from, const copy_catalog& source, const copy_catalog& target,
                            const copy_notes& notes) {
  copy_plan plan;
  std::string faults;
  const auto fault = [&](const std::string& text) { faults += (faults.empty() ? "" : "; ") + text; };
  const auto some = [&](const std::string& what) -> result<bool> {
    bool any = false;
    auto done = for_each_row(from, "SELECT 1 FROM " + what + " LIMIT 1", {}, [&](cursor&) -> result<void> {
      any = true;
      return {};
    });
    if (!done) return done.failure();
    return any;
  };
  for (const auto& t : source.tables) {
    if (stays_behind(t.name)) continue;
    const auto* const there = target.find(t.name);
    if (there == nullptr || t.is_virtual) {
      if (notes.derived.contains(t.name)) {
        plan.left_out.push_back(t.name);
        continue;
      }
      const auto any = some(quoted(t.name));
      if (!any) return any.failure();
      if (*any) fault("table " + t.name + " has rows, and the target has no such table");
      continue;
    }
    copy_plan::table planned;
    planned.name = t.name;
    for (const auto& c : there->columns) {
      if (c.generated) continue;
      const auto at = std::find_if(t.columns.begin(), t.columns.end(), [&](const auto& s) { return s.name == c.name; });
      if (at != t.columns.end()) {
        planned.columns.push_back(c);
        continue;
      }
      if (!c.not_null || c.has_default) continue;
      const auto any = some(quoted(t.name));
      if (!any) return any.failure();
      if (*any) fault("column " + t.name + "." + c.name + " must have a value, and the source has no such column");
    }
    for (const auto& c : t.columns) {
      if (c.key) planned.key.push_back(c.name);
      const bool known = std::any_of(there->columns.begin(), there->columns.end(),
                                     [&](const auto& other) { return other.name == c.name; });
      if (known || c.generated) continue;
      const auto any = some(quoted(t.name) + " WHERE " + quoted(c.name) + " IS NOT NULL");
      if (!any) return any.failure();
      if (*any) fault("column " + t.name + "." + c.name + " has values, and the target has no such column");
    }
    if (!planned.columns.empty()) plan.tables.push_back(std::move(planned));
  }
  const auto copied = [&](const std::string& table) {
    return std::any_of(plan.tables.begin(), plan.tables.end(), [&](const auto& t) { return t.name == table; });
  };
  for (const auto& s : target.sequences) {
    auto numbers = s;
    const auto note =
        std::find_if(notes.sequences.begin(), notes.sequences.end(), [&](const auto& n) { return n.name == s.name; });
    if (note != notes.sequences.end()) numbers = *note;
    // The runtime's own are set when a host enters the store.
    if (numbers.table.empty() && !starts_with(s.name, "gantry_"))
      fault("nothing says what sequence " + s.name + " numbers: a migration needs the line \"-- gantry: sequence " +
            s.name + " numbers TABLE.COLUMN\"");
    else if (copied(numbers.table))
      plan.sequences.push_back(std::move(numbers));
  }
  for (const auto& r : target.references)
    if (copied(r.table)) plan.references.push_back(r);
  if (!faults.empty()) return error{errc::invalid, faults};
  return plan;
}

}  // namespace gantry::store
