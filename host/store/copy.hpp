// Copies what a SQLite store holds into a PostgreSQL store that has the same plugin's schema: the plugin's tables and
// the runtime's. Which tables there are is read from both; nothing here knows a plugin. Thread: that of the sessions.
#pragma once

#include <cstdint>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "store/copy_catalog.hpp"
#include "store/store.hpp"

namespace gantry::store {

// What a plugin's migrations say about a copy, in lines of their own:
//   -- gantry: derived TABLE, TABLE          the rows follow from other tables; only one driver keeps them
//   -- gantry: sequence NAME numbers TABLE.COLUMN
struct copy_notes {
  std::set<std::string> derived;
  std::vector<copy_sequence> sequences;
};
// Of all variants. invalid: a line that begins like a note and is none.
result<copy_notes> read_copy_notes(std::span<const migration> steps);

struct copy_plan {
  struct table {
    std::string name;
    std::vector<copy_column> columns;  // as the target has them
    std::vector<std::string> key;      // of the source
  };
  std::vector<table> tables;
  std::vector<copy_sequence> sequences;
  std::vector<copy_reference> references;
  std::vector<std::string> left_out;  // derived
};

// Holds the two against each other. invalid: the text names each table and column for which the target has no place,
// and each column that only the target has and that must have a value.
result<copy_plan> plan_copy(session& from, const copy_catalog& source, const copy_catalog& target,
                            const copy_notes& notes);

// The rows that the target's tables have now, as "orders: 3 rows"; those of migrations and connections don't count.
result<std::vector<std::string>> rows_found(session& target, const copy_catalog& catalog);

struct copied_table {
  std::string name;
  std::uint64_t rows = 0;
  std::uint64_t checksum = 0;  // of the rows in any order; read back from the target and compared
};

// Reads all that would be copied. invalid: a value that the target can't hold; the text names table, column and key.
result<void> check_rows(session& from, const copy_plan& plan);

// Writes in the target's open transaction, which the caller commits, or rolls back on failure. What a migration put
// into a copied table gives way. Sequences are set behind the highest value. Errors as check_rows(), and io. Memory:
// some MB.
result<std::vector<copied_table>> copy_rows(session& from, session& to, const copy_plan& plan);

}  // namespace gantry::store
