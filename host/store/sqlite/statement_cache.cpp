#include "store/sqlite/statement_cache.hpp"

#include <sqlite3.h>

#include <algorithm>
#include <charconv>
#include <limits>
#include <optional>

#include "store/sqlite/array_module.hpp"
#include "store/sqlite/status.hpp"

namespace gantry::store::sqlite {
namespace {

// n of "$n"; none: another kind of name.
std::optional<std::uint32_t> number_of(const char* name) {
  if (!name || name[0] != '$' || name[1] == '0') return std::nullopt;
  const std::string_view digits(name + 1);
  std::uint32_t number = 0;
  const auto [end, code] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  if (code != std::errc{} || end != digits.data() + digits.size() || number == 0) return std::nullopt;
  return number;
}

// True when nothing but blanks, comments and semicolons is left.
bool is_blank(sqlite3* db, const char* tail, const char* end) {
  while (tail < end) {
    sqlite3_stmt* next = nullptr;
    const char* after = tail;
    const int code = sqlite3_prepare_v2(db, tail, static_cast<int>(end - tail), &next, &after);
    const statement_handle owned(next);
    if (code != SQLITE_OK || owned) return false;
    if (after == tail) return true;
    tail = after;
  }
  return true;
}

void fill(failure_text& failure, gantry_status status, std::string text) {
  failure.status = status;
  failure.text = std::move(text);
}

}  // namespace

std::unique_ptr<statement> statement::compile(connection& on, std::string_view sql, bool keep, failure_text& failure) {
  if (sql.size() > static_cast<std::size_t>(std::numeric_limits<int>::max() - 1)) {
    fill(failure, GANTRY_TOO_LARGE, "the SQL text is longer than 2 GiB");
    return nullptr;
  }
  auto self = std::make_unique<statement>();
  self->text_ = sql;
  const char* const begin = self->text_.c_str();
  const char* tail = begin;
  sqlite3_stmt* compiled = nullptr;
  const int code = sqlite3_prepare_v3(on.handle(), begin, static_cast<int>(sql.size() + 1),
                                      keep ? SQLITE_PREPARE_PERSISTENT : 0U, &compiled, &tail);
  self->handle_.reset(compiled);
  if ((code & 0xFF) == SQLITE_AUTH) {
    fill(failure, GANTRY_REFUSED, "transactions, ATTACH and PRAGMA belong to the runtime: " + excerpt(sql));
  } else if (code != SQLITE_OK) {
    fill(failure, status_of(code), std::string(sqlite3_errmsg(on.handle())) + ": " + excerpt(sql));
  } else if (!compiled) {
    fill(failure, GANTRY_INVALID, "no statement in the SQL text '" + excerpt(sql) + "'");
  } else if (!is_blank(on.handle(), tail, begin + sql.size())) {
    fill(failure, GANTRY_INVALID, "one statement at a time, found a second one: " + excerpt(tail));
  } else if (self->map_parameters(failure)) {
    self->returns_rows_ = sqlite3_column_count(compiled) > 0;
    self->changes_rows_ = sqlite3_stmt_readonly(compiled) == 0;
    return self;
  }
  return nullptr;
}

bool statement::map_parameters(failure_text& failure) {
  const auto count = static_cast<std::uint32_t>(sqlite3_bind_parameter_count(handle_.get()));
  order_.reserve(count);
  for (std::uint32_t i = 1; i <= count; ++i) {
    const char* name = sqlite3_bind_parameter_name(handle_.get(), static_cast<int>(i));
    const auto number = number_of(name);
    if (!number) {
      fill(failure, GANTRY_INVALID,
           std::string("parameters are written $1, $2, ...; found ") + (name ? name : "?") + ": " + excerpt(text_));
      return false;
    }
    // Names are distinct, so `count` names leave no gap exactly when none is above `count`.
    if (*number > count) {
      fill(failure, GANTRY_INVALID,
           "parameters are numbered without gaps; found " + std::to_string(count) + " of them and " + name + ": " +
               excerpt(text_));
      return false;
    }
    order_.push_back(*number - 1);
  }
  return true;
}

int statement::bind(std::span<const gantry_value> params) noexcept {
  sqlite3_stmt* const to = handle_.get();
  int code = SQLITE_OK;
  int index = 0;
  for (const std::uint32_t from : order_) {
    const gantry_value& value = params[from];
    ++index;
    switch (value.type) {
      case GANTRY_NULL:
        code = sqlite3_bind_null(to, index);
        break;
      case GANTRY_INT:
        code = sqlite3_bind_int64(to, index, value.as.i);
        break;
      case GANTRY_REAL:
        code = sqlite3_bind_double(to, index, value.as.r);
        break;
      case GANTRY_TEXT:  // a null pointer would be read as NULL
        code = sqlite3_bind_text64(to, index, value.as.s.ptr ? value.as.s.ptr : "", value.as.s.len, SQLITE_STATIC,
                                   SQLITE_UTF8);
        break;
      case GANTRY_BLOB:
        code = sqlite3_bind_blob64(to, index, value.as.s.ptr ? value.as.s.ptr : "", value.as.s.len, SQLITE_STATIC);
        break;
      case GANTRY_INT_ARRAY:
      case GANTRY_TEXT_ARRAY:
        code = bind_array(to, index, value);
        break;
      default:
        return SQLITE_MISMATCH;
    }
    if (code != SQLITE_OK) return code;
  }
  return SQLITE_OK;
}

statement* statement_cache::find_by_text(std::string_view sql, failure_text& failure) {
  auto found = by_text_.find(sql);
  if (found == by_text_.end()) {
    auto compiled = statement::compile(on_, sql, true, failure);
    if (!compiled) return nullptr;
    if (by_text_.size() >= capacity) evict();
    const std::string_view key = compiled->text();
    found = by_text_.emplace(key, std::move(compiled)).first;
  }
  statement* const hit = found->second.get();
  hit->used_at = ++uses_;
  recent_[slot(sql)] = {sql.data(), sql.size(), hit};
  return hit;
}

void statement_cache::clear() noexcept {
  recent_ = {};
  by_text_.clear();
}

// Only SQL that is made up at run time gets here, so a scan is cheap enough.
void statement_cache::evict() {
  auto oldest = by_text_.end();
  for (auto it = by_text_.begin(); it != by_text_.end(); ++it) {
    if (it->second->in_use) continue;
    if (oldest == by_text_.end() || it->second->used_at < oldest->second->used_at) oldest = it;
  }
  if (oldest == by_text_.end()) return;
  for (auto& entry : recent_) {
    if (entry.found == oldest->second.get()) entry = {};
  }
  by_text_.erase(oldest);
}

}  // namespace gantry::store::sqlite
