// One connection to a PostgreSQL server. libpqxx holds it, sets it up and runs what is asked once in a while; sessions
// then put their own pipeline on it. The only file that includes libpqxx is connection.cpp.
// Owned by a session or, for a moment, by the store. Thread: one at a time.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "store/postgres/postgres_store.hpp"
#include "store/postgres/status.hpp"

struct pg_conn;

namespace gantry::store::postgres {

enum class role {
  writer,   // SERIALIZABLE, with the durability that was promised
  reader,   // REPEATABLE READ, read-only
  service,  // migrations and questions: READ COMMITTED
};

// Where a connection goes, from a URL that was checked.
class address {
 public:
  // invalid: not a PostgreSQL URL; the text doesn't repeat it, for its password's sake.
  static result<address> read(const std::string& url);

  // "host:port/database", for people.
  const std::string& shown() const noexcept { return shown_; }
  const std::vector<std::pair<std::string, std::string>>& settings() const noexcept { return settings_; }

 private:
  std::vector<std::pair<std::string, std::string>> settings_;
  std::string shown_;
};

// Rows as text; none: null.
using answer_rows = std::vector<std::vector<std::optional<std::string>>>;

class connection {
 public:
  // invalid: the server refuses for good (password, database, certificate). unavailable: it can't be reached or takes
  // nobody now. unsupported: too old. The text says which, names the place, and has no password.
  // `timeout`: instead of that of the options.
  static result<std::unique_ptr<connection>> open(const postgres_options& options, const address& where, role role,
                                                  std::optional<std::chrono::milliseconds> timeout = {});

  connection(const connection&) = delete;
  connection& operator=(const connection&) = delete;
  ~connection();

  pg_conn* handle() const noexcept { return handle_; }
  int backend() const noexcept;

  // What follows is for connections without a pipeline.
  //
  // One statement outside a transaction. Its failure carries the SQLSTATE, when there was one, and otherwise the
  // connection is gone.
  struct refusal {
    std::string sqlstate;
    std::string text;
  };
  std::optional<answer_rows> ask(const std::string& sql, std::span<const std::string> params, refusal& why);

  // Runs a script and then one statement in a transaction of their own.
  bool commit_script(const std::string& script, const std::string& then, std::span<const std::string> params,
                     refusal& why);

  // Prepares a statement under a name.
  bool prepare(const std::string& name, const std::string& sql, refusal& why);

 private:
  struct held;
  connection();
  result<void> set_up(const postgres_options& options, role role, const std::string& place);

  std::unique_ptr<held> held_;
  pg_conn* handle_ = nullptr;
};

}  // namespace gantry::store::postgres
