// SQL as plugins write it, checked and made into what PostgreSQL takes: the same rules that the SQLite driver enforces.
// Only words and quotes are looked at; the server checks the grammar.
// Thread: any.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "store/postgres/status.hpp"

namespace gantry::store::postgres {

// One statement.
struct sql_text {
  // A place in `text` where the element type of an array parameter is to be inserted.
  struct array_place {
    std::size_t at = 0;
    std::size_t parameter = 0;  // from 0
  };

  std::string text;  // gantry_array($n) has become unnest($n::[])
  std::vector<array_place> arrays;
  std::size_t parameters = 0;
  bool may_change = false;      // rows or the schema
  bool changes_schema = false;  // it is none of rows

  // INVALID: not one single statement, or parameters that are not $1 .. $n without a gap. REFUSED: it would control
  // transactions or settings. Returns false and fills `failure`.
  static bool parse(std::string_view sql, sql_text& out, failure_text& failure);

  // The text with element types: `texts[i]` says that array i is of texts, else of integers.
  std::string with_types(const std::vector<bool>& texts) const;
};

// The statements of a script, without their semicolons; comments and blanks alone are none. Refuses what parse()
// refuses, and parameters.
bool split_script(std::string_view sql, std::vector<std::string_view>& out, failure_text& failure);

}  // namespace gantry::store::postgres
