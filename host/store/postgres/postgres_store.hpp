// A plugin's private database in one schema of a PostgreSQL server: one session of this store writes, several read
// snapshots beside it. Other hosts may have the same schema open.
// Thread: any; each session belongs to one thread at a time.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "store/store.hpp"

namespace gantry::store {

struct postgres_options {
  enum class isolation_level {
    serializable,
    read_committed,  // for a plugin that declares its SQL safe under it
  };

  std::string url;     // postgresql://user:password@host:port/database?...; or keyword=value words
  std::string schema;  // made when it is missing; empty: the search_path that the role has
  durability promise = durability::power;
  isolation_level isolation = isolation_level::serializable;
  std::size_t readers = 4;  // connections that may read at the same time; the writer has its own

  // A standby for snapshots that may lag behind. While it can't be reached, or is further behind, they come from the
  // first server.
  std::string read_url;
  std::chrono::milliseconds read_max_lag{10'000};
  // How long it may take to answer, and how long a reader of it is waited for; then the first server is asked.
  std::chrono::milliseconds read_patience{5000};
  // A changing statement that has always gone the same way is not waited for: its outcome is checked before the commit,
  // and RETRY is the answer when it was another one. For users that run a transaction again then, as lanes do.
  bool trusts = true;

  std::chrono::milliseconds connect_timeout{5000};
  // How long a commit whose answer was lost waits for the server to say what became of it. Longer than a failover
  // takes: afterwards the store takes no writes until somebody has looked.
  std::chrono::milliseconds doubt_timeout{300'000};
  // How long a writer may do nothing in the middle of a transaction before the server ends it.
  std::chrono::milliseconds longest_halt{30'000};
  // The longest pause between two attempts to connect again.
  std::chrono::milliseconds longest_pause{2000};

  // Told what is not as the promise needs it, such as a server with fsync=off. May be empty.
  std::function<void(std::string_view)> warn;
  // Told when the standby is not read any more, and when it is again. May be empty. Thread: any.
  std::function<void(std::string_view)> tell;
};

// Connects, and makes the schema when it is missing. invalid: the server refuses for good, or the url is none.
// unavailable: the server can't be reached now. unsupported: older than PostgreSQL 13. No text has the password.
result<std::unique_ptr<store>> open_postgres_store(const postgres_options& options);

}  // namespace gantry::store
