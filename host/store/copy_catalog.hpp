// What a store holds, as a copy sees it: tables, columns, and on the copy's target what numbers them and what ties
// them. Thread: that of the session.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "store/store.hpp"

namespace gantry::store {

struct copy_column {
  std::string name;
  std::string type;  // in the driver's words
  bool not_null = false;
  bool has_default = false;  // or the store numbers it
  bool generated = false;    // from other columns: it can't be written
  bool key = false;          // of the primary key
};

struct copy_table {
  std::string name;
  bool is_virtual = false;  // SQLite: a module keeps it, such as a search index
  std::vector<copy_column> columns;
};

struct copy_sequence {
  std::string name;
  std::string table;  // and column: what it numbers; empty: nothing in the catalog says so
  std::string column;
};

struct copy_reference {  // a foreign key
  std::string table;
  std::string name;
  std::string definition;  // what follows ADD CONSTRAINT name
};

struct copy_catalog {
  std::vector<copy_table> tables;  // by name
  std::vector<copy_sequence> sequences;
  std::vector<copy_reference> references;

  const copy_table* find(std::string_view table) const noexcept;
};

// Of the session's own schema. Sequences and references: of PostgreSQL only.
result<copy_catalog> read_catalog(session& from, std::string_view driver);

// A name as SQL takes it, whatever it consists of.
std::string quoted(std::string_view name);

// Runs a query and gives each row to `row`.
result<void> for_each_row(session& from, std::string_view sql, std::span<const gantry_value> params,
                          const std::function<result<void>(cursor&)>& row);
std::string text_of(cursor& row, std::size_t column);
std::int64_t integer_of(cursor& row, std::size_t column);
gantry_value text_parameter(std::string_view text) noexcept;

}  // namespace gantry::store
