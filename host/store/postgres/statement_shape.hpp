// What the words of a statement say of the table that it touches, and how it can run for many rows at once.
//
// Only words and quotes are looked at: what can't be told from them counts as touching everything and as running alone.
// Thread: any.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace gantry::store::postgres {

struct statement_shape {
  // Names are without quotes, and here in lower case, as the server takes them.
  //
  // The only relation whose rows it reads or changes; empty: there may be others.
  std::string table;
  // An INSERT, UPDATE or DELETE whose parameters can come as the columns of a set: each row of the set does what the
  // statement does with these values, and none looks at what another one does.
  bool takes_sets = false;
  // It adds rows. One that does not changes at most one row for each of the set if `keys` hold a unique key.
  bool inserts = false;
  bool only_adds = false;         // it leaves rows that are there as they are
  bool numbers_itself = false;    // where rows have a number of their own, the database gives it
  std::vector<std::string> keys;  // columns that must each equal a parameter

  static statement_shape of(std::string_view sql);

  // The statement for a set: $n is an array of the n-th parameters, whose element types are given by their names.
  std::string for_sets(std::span<const std::string_view> types) const;

 private:
  friend class shape_reader;

  std::string head;  // up to where the set stands, parameters renamed
  std::string link;  // " FROM " or " USING "
  std::string tail;
};

}  // namespace gantry::store::postgres
