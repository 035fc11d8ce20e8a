// Compiled statements of one connection, found by their text.
// Owned by a session. Thread: one at a time.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "gantry/abi/store.h"
#include "store/failure.hpp"
#include "store/sqlite/connection.hpp"

namespace gantry::store::sqlite {

// A compiled statement. SQLite numbers $n in the order in which it meets them; `order` leads back to n.
class statement {
 public:
  // INVALID: not one single statement, or parameters that are not $1 .. $n without a gap. REFUSED: it would control
  // transactions or settings. Otherwise what SQLite finds wrong.
  static std::unique_ptr<statement> compile(connection& on, std::string_view sql, bool keep, failure_text& failure);

  sqlite3_stmt* handle() const noexcept { return handle_.get(); }
  std::string_view text() const noexcept { return text_; }
  std::size_t parameters() const noexcept { return order_.size(); }
  bool returns_rows() const noexcept { return returns_rows_; }
  bool changes_rows() const noexcept { return changes_rows_; }

  // Binds borrowed values, which must stay until the statement is reset. Returns SQLite's code.
  // Precondition: params.size() == parameters().
  int bind(std::span<const gantry_value> params) noexcept;

  bool in_use = false;        // by an open cursor
  std::uint64_t used_at = 0;  // kept by the cache

 private:
  bool map_parameters(failure_text& failure);

  statement_handle handle_;
  std::string text_;
  std::vector<std::uint32_t> order_;  // SQLite's index - 1 -> n - 1
  bool returns_rows_ = false;
  bool changes_rows_ = false;
};

class statement_cache {
 public:
  explicit statement_cache(connection& on) : on_(on) {}

  // The statement of this text, compiled if need be; null: it can't be, `failure` says why. Stays valid until the next
  // find() when it is not in use.
  statement* find(std::string_view sql, failure_text& failure) {
    const auto& recent = recent_[slot(sql)];
    if (recent.found && recent.text == sql.data() && recent.size == sql.size() && recent.found->text() == sql) {
      recent.found->used_at = ++uses_;
      return recent.found;
    }
    return find_by_text(sql, failure);
  }

  void clear() noexcept;

  static constexpr std::size_t capacity = 256;

 private:
  // Plugins pass string literals: the address usually tells the statement, and one comparison proves it.
  struct recent_entry {
    const char* text = nullptr;
    std::size_t size = 0;
    statement* found = nullptr;
  };
  static std::size_t slot(std::string_view sql) noexcept {
    const auto address = reinterpret_cast<std::uintptr_t>(sql.data());
    return (address ^ (address >> 8) ^ (sql.size() << 3)) % slots;
  }

  statement* find_by_text(std::string_view sql, failure_text& failure);
  void evict();

  static constexpr std::size_t slots = 256;
  connection& on_;
  std::array<recent_entry, slots> recent_{};
  std::unordered_map<std::string_view, std::unique_ptr<statement>> by_text_;
  std::uint64_t uses_ = 0;
};

}  // namespace gantry::store::sqlite
