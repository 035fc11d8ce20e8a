// What is to run later, gathered by statement: the parameters of each execution, one row for each.
// Owned by a session. Thread: that of the session.
#pragma once

#include <array>
#include <cstddef>
#include <memory_resource>
#include <span>
#include <vector>

#include "gantry/abi/store.h"

namespace gantry::store::postgres {

struct statement;

class gathered_rows {
 public:
  // Copies the parameters. The statement must stay until the row is gone.
  void add(statement& of, std::span<const gantry_value> params);

  bool empty() const noexcept { return rows_.empty(); }
  std::size_t size() const noexcept { return rows_.size(); }
  // As many as should go out together, and bytes of their values.
  static constexpr std::size_t most_rows = 1000;
  static constexpr std::size_t most_bytes = 1 << 20;
  bool is_enough() const noexcept { return rows_.size() >= most_rows || bytes_ >= most_bytes; }
  // A row of this statement can't wait with them: one of another statement, on the same table, came before it.
  bool collide_with(const statement& next) const noexcept;
  // One of them is on this table.
  bool touch(std::string_view table) const noexcept;

  void clear() noexcept;

  // Those of one statement, row after row.
  struct set {
    statement* of;
    std::vector<gantry_value> values;
    std::size_t rows;
  };
  // Rows [from, to) by statement, in the order in which each statement came first.
  std::vector<set> sets(std::size_t from, std::size_t to) const;

 private:
  struct row {
    statement* of;
    std::size_t first;  // of its values
  };

  std::vector<row> rows_;
  std::vector<gantry_value> values_;
  std::size_t bytes_ = 0;
  std::array<std::byte, 16384> first_bytes_;
  std::pmr::monotonic_buffer_resource texts_{first_bytes_.data(), first_bytes_.size()};
  std::vector<statement*> seen_;  // each statement of the rows, once
};

}  // namespace gantry::store::postgres
