// One SQLite connection, opened and tuned for its role. Owned by a session. Thread: one at a time.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/result.hpp"
#include "store/sqlite/sqlite_store.hpp"

struct sqlite3;
struct sqlite3_stmt;

namespace gantry::store::sqlite {

struct statement_closer {
  void operator()(sqlite3_stmt* statement) const noexcept;
};
using statement_handle = std::unique_ptr<sqlite3_stmt, statement_closer>;

// Settings of SQLite as a whole. Must run before it initialises itself; later calls do nothing.
void configure_library();

enum class role {
  writer,
  reader,
  migrator,  // writes beside a writer that is between two transactions: waits for it
};

class connection {
 public:
  // io, invalid, unavailable: SQLite's own words, with the file.
  static result<std::unique_ptr<connection>> open(const sqlite_options& options, role role);

  connection(const connection&) = delete;
  connection& operator=(const connection&) = delete;
  ~connection();

  sqlite3* handle() const noexcept { return db_; }

  // Pages in the write-ahead log after the last commit of this connection.
  std::uint32_t log_pages() const noexcept { return log_pages_; }

  // How long a statement waits for a lock of another connection before it fails with SQLITE_BUSY.
  void wait_for_locks(int ms) noexcept { wait_ms_ = ms; }
  static constexpr int usual_wait_ms = 1000;

  // Compiles a statement of the driver itself, which may control transactions.
  result<statement_handle> prepare_own(const char* sql);

  // Runs such a statement: SQLITE_DONE, SQLITE_ROW for a first row that is dropped, or the extended code of its
  // failure.
  int run_own(sqlite3_stmt* statement) noexcept;

  // Lets the close of this connection, when it is the last one, copy the log into the database and delete it.
  void finish_log_on_close() noexcept;

 private:
  connection() = default;
  result<void> tune(const sqlite_options& options, role role);
  result<void> pragma(const std::string& sql);
  error failure(const std::string& what) const;

  sqlite3* db_ = nullptr;
  std::string file_;
  bool own_statement_ = false;
  int wait_ms_ = usual_wait_ms;
  std::uint32_t log_pages_ = 0;

  friend struct connection_hooks;
};

}  // namespace gantry::store::sqlite
