// What became of a transaction whose COMMIT was sent and whose answer was lost.
//
// The server knows the state of a transaction's number, but a number that left no trace before a crash is given again.
// So every writing transaction also stores its number in its writer's row of gantry_commit: once the old backend is
// gone, the transaction has committed exactly when that row has its number. Thread: any.
#pragma once

#include <string>
#include <string_view>

#include "store/postgres/connection.hpp"

namespace gantry::store::postgres {

// Made when the store is opened. One row a writer; `number` is that of its last transaction.
inline constexpr std::string_view commit_table =
    "CREATE TABLE IF NOT EXISTS gantry_commit (writer text PRIMARY KEY, number text NOT NULL,"
    " used_at timestamptz NOT NULL DEFAULT now()) WITH (fillfactor = 50)";

// Rows of writers that ended without taking theirs along. Nobody asks after a day.
inline constexpr std::string_view forget_old_commits =
    "DELETE FROM gantry_commit WHERE used_at < now() - interval '1 day'";

struct doubtful_commit {
  std::string number;  // pg_current_xact_id(), remembered before COMMIT went out
  std::string writer;
  int backend = 0;  // the server's process that had it
};

enum class fate { committed, undone, unknown };

// Asks until options.doubt_timeout is over. `why` then says what stood in the way.
fate resolve(const postgres_options& options, const address& where, const doubtful_commit& which, std::string& why);

}  // namespace gantry::store::postgres
