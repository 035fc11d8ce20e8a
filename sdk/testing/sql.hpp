// The plugin's database in memory, with the statuses and the strictness of the runtime's store.
// Owned by the fake host. Thread: one at a time.
#pragma once

#include <sqlite3.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "gantry/abi/store.h"

namespace gantry::testing {

// A compiled statement. SQL may say gantry_array($n), which becomes a table made of the JSON text of that parameter.
class statement {
 public:
  statement(sqlite3* db, std::string_view sql);

  // GANTRY_OK or why it did not compile; text in error().
  gantry_status status() const { return status_; }
  const std::string& error() const { return error_; }

  // The parameters must be exactly $1 to $count.
  gantry_status bind(const gantry_value* params, std::size_t count);
  // GANTRY_OK: a row; GANTRY_DONE: no more; else a failure.
  gantry_status step();
  void reset();
  std::size_t columns() const;
  gantry_status column(std::size_t index, gantry_value& out) const;
  bool read_only() const;

 private:
  struct finalizer {
    void operator()(sqlite3_stmt* s) const { sqlite3_finalize(s); }
  };
  gantry_status fail(gantry_status status, std::string text);
  gantry_status failed_with(int code);

  sqlite3* db_;
  std::unique_ptr<sqlite3_stmt, finalizer> stmt_;
  gantry_status status_ = GANTRY_OK;
  std::string error_;
  bool has_row_ = false;
};

class database {
 public:
  database();
  database(const database&) = delete;
  database& operator=(const database&) = delete;
  ~database();

  sqlite3* raw() const { return db_; }

  // Several statements without parameters. Throws std::runtime_error.
  void script(std::string_view sql);
  // Runs one statement to its end. INVALID when it returns rows.
  gantry_status exec(std::string_view sql, const gantry_value* params, std::size_t count, std::int64_t* changes,
                     std::string& error);
  gantry_status exec_many(std::string_view sql, const gantry_value* params, std::size_t columns, std::size_t rows,
                          std::int64_t* changes, std::string& error);
  // Throws std::runtime_error.
  std::vector<std::vector<std::string>> texts(std::string_view sql) const;

 private:
  gantry_status run(statement& s, const gantry_value* params, std::size_t count, std::int64_t& changes);

  sqlite3* db_ = nullptr;
};

}  // namespace gantry::testing
