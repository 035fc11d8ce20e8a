// Numbers of a PostgreSQL sequence, taken from it many at a time.
//
// With them a handler knows the number of a row before it writes it, so that the row, and others that name it, are
// plain INSERTs of values: nothing is read back, and nothing has to be looked up by a key. SQLite numbers rows by
// itself for less, and has no sequences.
//
// Each number is given once, whatever becomes of the transaction and of the server; some are never used. Hosts that
// share a store take theirs side by side, so that numbers don't tell the order of commits. Owned by the plugin.
// Thread: lane.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "gantry/tx.hpp"

namespace gantry {

class sequence {
 public:
  // `which`: SQL for the sequence, such as "'ticket_numbers'", or for the one of an identity column
  // "pg_get_serial_sequence('tickets', 'id')". `at_once`: at least 1.
  explicit sequence(std::string_view which, std::size_t at_once = 200)
      : sql_("WITH which AS MATERIALIZED (SELECT (" + std::string(which) +
             ")::regclass AS name) SELECT nextval(name) FROM which, generate_series(1, " + std::to_string(at_once) +
             ")") {}

  // One that nobody has had. Now and then this is a query, which throws as tx.query does.
  std::int64_t next(tx& t) {
    // A sequence is durable with the next commit: a server that dies before one gives what is kept here once more.
    const auto on = t.connection();
    if (used_ == numbers_.size() || on != on_) {
      on_ = on;
      numbers_.clear();
      used_ = 0;
      for (const auto& row : t.query(sql_)) numbers_.push_back(row.get<std::int64_t>(0));
    }
    const auto number = numbers_.at(used_);
    ++used_;
    return number;
  }

 private:
  std::string sql_;
  std::vector<std::int64_t> numbers_;
  std::size_t used_ = 0;
  std::uint64_t on_ = 0;  // the connection that gave them
};

}  // namespace gantry
