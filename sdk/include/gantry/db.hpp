// The plugin's own SQL database: what runs on a snapshot or in a transaction.
//
// Parameters are $1, $2, ...; the SQL that works on every driver is listed in docs/sql.md. A parameter list is an array
// on the stack. Failures are thrown: CONFLICT for a constraint (the transaction stays usable), INVALID for wrong SQL,
// RETRY when the driver asks for a rerun (let it pass).
#pragma once

#include <cstring>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "gantry/detail/runtime.hpp"
#include "gantry/detail/sql_values.hpp"

namespace gantry {

// One row of a query. Text that it gives stays valid until the next row.
class row_view {
 public:
  row_view() = default;
  row_view(const detail::runtime& rt, gantry_cursor* cursor) : rt_(&rt), cursor_(cursor) {}

  std::size_t columns() const { return rt_->store->columns(cursor_); }

  // Column `index`, from 0, as int64_t or another integer, double, bool, std::string, std::string_view, or
  // std::optional of one of them. Throws when the column holds something else, NULL included.
  template <typename T>
  T get(std::size_t index) const {
    return detail::from_value<T>(at(index), index);
  }
  bool is_null(std::size_t index) const { return at(index).type == GANTRY_NULL; }

 private:
  gantry_value at(std::size_t index) const {
    gantry_value value{};
    rt_->check(rt_->store->column(cursor_, index, &value));
    return value;
  }

  const detail::runtime* rt_ = nullptr;
  gantry_cursor* cursor_ = nullptr;
};

// A row that owns its values, in one block of memory.
class row {
 public:
  row(const detail::runtime& rt, gantry_cursor* cursor);

  std::size_t columns() const noexcept { return count_; }
  // As row_view::get; a std::string_view is valid as long as the row.
  template <typename T>
  T get(std::size_t index) const {
    return detail::from_value<T>(at(index), index);
  }
  bool is_null(std::size_t index) const { return at(index).type == GANTRY_NULL; }

 private:
  gantry_value at(std::size_t index) const {
    if (index >= count_) throw failure(GANTRY_INVALID, "no column " + std::to_string(index));
    gantry_value value{};
    std::memcpy(&value, block_.get() + index * sizeof value, sizeof value);
    return value;
  }

  std::size_t count_;
  std::unique_ptr<char[]> block_;
};

// The rows of a query, one after the other; for one pass of a range-for. Closes its cursor.
class rows {
 public:
  rows(const detail::runtime& rt, gantry_cursor* cursor) : rt_(&rt), cursor_(cursor, closer{&rt}) {}

  class iterator {
   public:
    using iterator_category = std::input_iterator_tag;
    using value_type = row_view;
    using difference_type = std::ptrdiff_t;
    using pointer = const row_view*;
    using reference = const row_view&;

    iterator() = default;
    explicit iterator(rows* of) : of_(of), row_(*of->rt_, of->cursor_.get()) { advance(); }
    reference operator*() const { return row_; }
    pointer operator->() const { return &row_; }
    iterator& operator++() {
      advance();
      return *this;
    }
    void operator++(int) { advance(); }
    friend bool operator==(const iterator& it, std::default_sentinel_t) { return it.of_ == nullptr; }

   private:
    void advance() {
      if (!of_->step()) of_ = nullptr;
    }
    rows* of_ = nullptr;
    row_view row_;
  };

  iterator begin() { return iterator(this); }
  std::default_sentinel_t end() const { return {}; }

  // Moves to the next row, the first one at the first call; false after the last.
  bool step() {
    const gantry_status status = rt_->store->next(cursor_.get());
    if (status == GANTRY_DONE) return false;
    rt_->check(status);
    return true;
  }
  row copy() const { return {*rt_, cursor_.get()}; }

 private:
  struct closer {
    const detail::runtime* rt;
    void operator()(gantry_cursor* cursor) const { rt->store->close(cursor); }
  };
  const detail::runtime* rt_;
  std::unique_ptr<gantry_cursor, closer> cursor_;
};

// A database to read, and inside a transaction to write. Owned by the handler's caller; valid for the handler.
class db {
 public:
  db(const detail::runtime& rt, gantry_db* raw) : rt_(&rt), raw_(raw) {}
  db(const db&) = delete;
  db& operator=(const db&) = delete;
  ~db() = default;

  // A number that no other connection has: what the database said outside of committed rows is to be forgotten when it
  // changes, for the server may have forgotten it too.
  std::uint64_t connection() const { return store().connection(raw_); }

  // Runs a statement without rows; the number of rows that it changed. Only in a transaction.
  template <typename... Args>
  std::int64_t exec(std::string_view sql, const Args&... args) {
    const detail::parameters<Args...> list(args...);
    std::int64_t changes = 0;
    rt_->check(store().exec(raw_, detail::str(sql), list.begin(), list.size(), &changes));
    return changes;
  }

  // The first row, or none. Also for RETURNING.
  template <typename... Args>
  std::optional<row> one(std::string_view sql, const Args&... args) {
    rows found = query(sql, args...);
    if (!found.step()) return std::nullopt;
    return found.copy();
  }

  // All rows: for (const auto& row : db.query("SELECT ...", ...)).
  template <typename... Args>
  rows query(std::string_view sql, const Args&... args) {
    const detail::parameters<Args...> list(args...);
    gantry_cursor* cursor = nullptr;
    rt_->check(store().query(raw_, detail::str(sql), list.begin(), list.size(), &cursor));
    return {*rt_, cursor};
  }

  // Calls fn(row) for each row; the number of rows.
  template <typename Fn, typename... Args>
  std::size_t each(std::string_view sql, Fn&& fn, const Args&... args) {
    std::size_t count = 0;
    for (const row_view& found : query(sql, args...)) {
      fn(found);
      ++count;
    }
    return count;
  }

  // The same statement for flat.size() / columns rows, row-major; the total of rows changed. All or nothing.
  std::int64_t exec_many(std::string_view sql, std::span<const value> flat, std::size_t columns) {
    if (columns == 0 || flat.size() % columns != 0) {
      throw failure(GANTRY_INVALID, "exec_many: " + std::to_string(flat.size()) + " values don't fill rows of " +
                                        std::to_string(columns));
    }
    std::int64_t changes = 0;
    rt_->check(store().exec_many(raw_, detail::str(sql), flat.data(), columns, flat.size() / columns, &changes));
    return changes;
  }

  // Like exec, but may run as late as the end of the batch; a failure then is one of this handler.
  template <typename... Args>
  void defer(std::string_view sql, const Args&... args) {
    const detail::parameters<Args...> list(args...);
    rt_->check(store().defer(raw_, detail::str(sql), list.begin(), list.size()));
  }

  gantry_db* raw() const noexcept { return raw_; }

 protected:
  const detail::runtime& rt() const noexcept { return *rt_; }

 private:
  const gantry_store_1& store() const { return rt_->need(rt_->store, GANTRY_STORE_1); }

  const detail::runtime* rt_;
  gantry_db* raw_;
};

// The values first, then the bytes of their texts.
inline row::row(const detail::runtime& rt, gantry_cursor* cursor) : count_(rt.store->columns(cursor)) {
  std::size_t bytes = count_ * sizeof(gantry_value);
  gantry_value value{};
  const auto has_bytes = [&value] { return value.type == GANTRY_TEXT || value.type == GANTRY_BLOB; };
  for (std::size_t i = 0; i < count_; ++i) {
    rt.check(rt.store->column(cursor, i, &value));
    if (has_bytes()) bytes += value.as.s.len;
  }
  block_ = std::make_unique_for_overwrite<char[]>(bytes + 1);
  char* text = block_.get() + count_ * sizeof(gantry_value);
  for (std::size_t i = 0; i < count_; ++i) {
    rt.check(rt.store->column(cursor, i, &value));
    if (has_bytes()) {
      if (value.as.s.len > 0) std::memcpy(text, value.as.s.ptr, value.as.s.len);
      value.as.s.ptr = text;
      text += value.as.s.len;
    }
    std::memcpy(block_.get() + i * sizeof value, &value, sizeof value);
  }
}

}  // namespace gantry
