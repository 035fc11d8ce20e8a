#include "sql.hpp"

#include <stdexcept>

#include "gantry/json_writer.hpp"

namespace gantry::testing {
namespace {

// gantry_array(x) is a table with one column, value; json_each is one with more, some of whose names plugins use.
std::string with_arrays(std::string_view sql) {
  constexpr std::string_view word = "gantry_array(";
  std::string out;
  while (true) {
    const std::size_t at = sql.find(word);
    out += sql.substr(0, at);
    if (at == std::string_view::npos) return out;
    sql.remove_prefix(at + word.size());
    const std::size_t close = sql.find(')');
    if (close == std::string_view::npos) return out.append(word).append(sql);
    out.append("(SELECT value FROM json_each(").append(sql.substr(0, close)).append("))");
    sql.remove_prefix(close + 1);
  }
}

std::string as_json(const gantry_value& array) {
  json_writer out;
  out.array();
  for (std::uint32_t i = 0; i < array.count; ++i) {
    if (array.type == GANTRY_INT_ARRAY) {
      out.value(array.as.ints[i]);
    } else {
      out.value(std::string_view(array.as.texts[i].ptr, array.as.texts[i].len));
    }
  }
  out.end();
  return out.take();
}

int bind_bytes(sqlite3_stmt* stmt, int at, gantry_str bytes, bool text) {
  const char* from = bytes.ptr == nullptr ? "" : bytes.ptr;
  return text ? sqlite3_bind_text64(stmt, at, from, bytes.len, SQLITE_TRANSIENT, SQLITE_UTF8)
              : sqlite3_bind_blob64(stmt, at, from, bytes.len, SQLITE_TRANSIENT);
}

int bind_one(sqlite3_stmt* stmt, int at, const gantry_value& value) {
  switch (value.type) {
    case GANTRY_NULL:
      return sqlite3_bind_null(stmt, at);
    case GANTRY_INT:
      return sqlite3_bind_int64(stmt, at, value.as.i);
    case GANTRY_REAL:
      return sqlite3_bind_double(stmt, at, value.as.r);
    case GANTRY_TEXT:
      return bind_bytes(stmt, at, value.as.s, true);
    case GANTRY_BLOB:
      return bind_bytes(stmt, at, value.as.s, false);
    case GANTRY_INT_ARRAY:
    case GANTRY_TEXT_ARRAY: {
      const std::string text = as_json(value);
      return bind_bytes(stmt, at, {text.data(), text.size()}, true);
    }
    default:
      return SQLITE_MISUSE;
  }
}

}  // namespace

statement::statement(sqlite3* db, std::string_view sql) : db_(db) {
  const std::string text = with_arrays(sql);
  sqlite3_stmt* compiled = nullptr;
  const char* rest = nullptr;
  const int code = sqlite3_prepare_v2(db, text.c_str(), static_cast<int>(text.size() + 1), &compiled, &rest);
  stmt_.reset(compiled);
  if (code != SQLITE_OK) {
    status_ = fail(GANTRY_INVALID, sqlite3_errmsg(db));
  } else if (compiled == nullptr) {
    status_ = fail(GANTRY_INVALID, "the SQL is empty");
  } else if (std::string_view(rest).find_first_not_of(" \t\r\n;") != std::string_view::npos) {
    status_ = fail(GANTRY_INVALID, "more than one statement");
  }
}

gantry_status statement::fail(gantry_status status, std::string text) {
  error_ = std::move(text);
  return status;
}

gantry_status statement::failed_with(int code) {
  const std::string text = sqlite3_errmsg(db_);
  if (sqlite3_extended_errcode(db_) == SQLITE_CONSTRAINT_DATATYPE) return fail(GANTRY_INVALID, text);
  switch (code & 0xFF) {
    case SQLITE_CONSTRAINT:
      return fail(GANTRY_CONFLICT, text);
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return fail(GANTRY_RETRY, text);
    case SQLITE_FULL:
      return fail(GANTRY_UNAVAILABLE, text);
    default:
      return fail(GANTRY_INVALID, text);
  }
}

gantry_status statement::bind(const gantry_value* params, std::size_t count) {
  const auto expected = static_cast<std::size_t>(sqlite3_bind_parameter_count(stmt_.get()));
  if (expected != count) {
    return fail(GANTRY_INVALID, "the SQL has " + std::to_string(expected) + " parameters, " + std::to_string(count) +
                                    " were given: " + sqlite3_sql(stmt_.get()));
  }
  for (std::size_t i = 0; i < count; ++i) {
    // SQLite numbers $n in the order of appearance, so they are found by name.
    const std::string name = "$" + std::to_string(i + 1);
    const int at = sqlite3_bind_parameter_index(stmt_.get(), name.c_str());
    if (at == 0) return fail(GANTRY_INVALID, "the SQL has no parameter " + name + ": " + sqlite3_sql(stmt_.get()));
    if (bind_one(stmt_.get(), at, params[i]) != SQLITE_OK) return fail(GANTRY_INVALID, name + ": bad value");
  }
  return GANTRY_OK;
}

gantry_status statement::step() {
  const int code = sqlite3_step(stmt_.get());
  has_row_ = code == SQLITE_ROW;
  if (code == SQLITE_ROW) return GANTRY_OK;
  return code == SQLITE_DONE ? gantry_status{GANTRY_DONE} : failed_with(code);
}

void statement::reset() {
  has_row_ = false;
  sqlite3_reset(stmt_.get());
}

std::size_t statement::columns() const { return static_cast<std::size_t>(sqlite3_column_count(stmt_.get())); }

bool statement::read_only() const { return sqlite3_stmt_readonly(stmt_.get()) != 0; }

gantry_status statement::column(std::size_t index, gantry_value& out) const {
  if (!has_row_ || index >= columns()) return GANTRY_INVALID;
  sqlite3_stmt* s = stmt_.get();
  const int at = static_cast<int>(index);
  out = {};
  switch (sqlite3_column_type(s, at)) {
    case SQLITE_INTEGER:
      out.type = GANTRY_INT;
      out.as.i = sqlite3_column_int64(s, at);
      break;
    case SQLITE_FLOAT:
      out.type = GANTRY_REAL;
      out.as.r = sqlite3_column_double(s, at);
      break;
    case SQLITE_TEXT:
      out.type = GANTRY_TEXT;
      out.as.s.ptr = reinterpret_cast<const char*>(sqlite3_column_text(s, at));
      out.as.s.len = static_cast<std::size_t>(sqlite3_column_bytes(s, at));
      break;
    case SQLITE_BLOB:
      out.type = GANTRY_BLOB;
      out.as.s.ptr = static_cast<const char*>(sqlite3_column_blob(s, at));
      out.as.s.len = static_cast<std::size_t>(sqlite3_column_bytes(s, at));
      break;
    default:
      break;
  }
  return GANTRY_OK;
}

database::database() {
  if (sqlite3_open_v2(":memory:", &db_, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_FULLMUTEX, nullptr) !=
      SQLITE_OK) {
    throw std::runtime_error("SQLite can't open a database in memory");
  }
  sqlite3_extended_result_codes(db_, 1);
  script("PRAGMA foreign_keys = ON");
}

database::~database() { sqlite3_close_v2(db_); }

void database::script(std::string_view sql) {
  char* why = nullptr;
  if (sqlite3_exec(db_, std::string(sql).c_str(), nullptr, nullptr, &why) == SQLITE_OK) return;
  const std::string text = why == nullptr ? "SQL failed" : why;
  sqlite3_free(why);
  throw std::runtime_error(text + " in: " + std::string(sql));
}

gantry_status database::run(statement& s, const gantry_value* params, std::size_t count, std::int64_t& changes) {
  const gantry_status bound = s.bind(params, count);
  if (bound != GANTRY_OK) return bound;
  const auto before = sqlite3_total_changes64(db_);
  const gantry_status status = s.step();
  if (status != GANTRY_DONE) return status == GANTRY_OK ? gantry_status{GANTRY_INVALID} : status;
  if (sqlite3_total_changes64(db_) != before) changes += sqlite3_changes64(db_);
  s.reset();
  return GANTRY_OK;
}

gantry_status database::exec(std::string_view sql, const gantry_value* params, std::size_t count, std::int64_t* changes,
                             std::string& error) {
  return exec_many(sql, params, count, 1, changes, error);
}

gantry_status database::exec_many(std::string_view sql, const gantry_value* params, std::size_t columns,
                                  std::size_t rows, std::int64_t* changes, std::string& error) {
  std::int64_t total = 0;
  gantry_status status = GANTRY_OK;
  {
    statement s(db_, sql);
    status = s.status();
    if (status == GANTRY_OK && s.columns() > 0) {
      error = "the statement returns rows: use query: " + std::string(sql);
      return GANTRY_INVALID;
    }
    if (status == GANTRY_OK && rows > 1) script("SAVEPOINT gantry_many");
    for (std::size_t i = 0; i < rows && status == GANTRY_OK; ++i) status = run(s, params + i * columns, columns, total);
    error = s.error();
  }
  if (rows > 1) script(status == GANTRY_OK ? "RELEASE gantry_many" : "ROLLBACK TO gantry_many; RELEASE gantry_many");
  if (changes != nullptr) *changes = status == GANTRY_OK ? total : 0;
  return status;
}

std::vector<std::vector<std::string>> database::texts(std::string_view sql) const {
  statement s(db_, sql);
  gantry_status status = s.status();
  if (status == GANTRY_OK) status = s.bind(nullptr, 0);
  std::vector<std::vector<std::string>> out;
  while (status == GANTRY_OK && (status = s.step()) == GANTRY_OK) {
    auto& row = out.emplace_back();
    for (std::size_t i = 0; i < s.columns(); ++i) {
      gantry_value v{};
      s.column(i, v);
      switch (v.type) {
        case GANTRY_INT:
          row.push_back(std::to_string(v.as.i));
          break;
        case GANTRY_REAL:
          row.push_back(json(v.as.r).text());
          break;
        case GANTRY_NULL:
          row.emplace_back("NULL");
          break;
        default:
          row.emplace_back(v.as.s.ptr == nullptr ? "" : v.as.s.ptr, v.as.s.len);
      }
    }
  }
  if (status != GANTRY_DONE) throw std::runtime_error(s.error() + " in: " + std::string(sql));
  return out;
}

}  // namespace gantry::testing
