// The broker and the database of order_flow: started for one run, or somebody else's; what they use of the processors,
// and how fast they are when only bare clients ask them. Owned by main. Thread: main.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>

namespace gantry::bench {

struct servers {
  std::string brokers;   // host:port
  std::string postgres;  // a connection URL
  int kafka_pid = 0;     // 0: not on this machine
  int postgres_pid = 0;
  std::filesystem::path scripts;  // of what was started here, and
  std::filesystem::path data;     // where; empty: nothing was
};

// Starts both on loopback by `scripts`/kafka.sh and postgres.sh, with their data below `data`. Ends the program when
// one does not come up.
servers start_servers(const std::filesystem::path& scripts, const std::filesystem::path& data);
void stop_servers(const servers& which);

// Seconds of CPU that they have used so far, by "java" and "postgres", backends that have ended included.
std::map<std::string, double> cpu_of(const servers& which);

// What the database has done so far, all of its users together.
struct database_work {
  std::uint64_t commits = 0;
  std::uint64_t rollbacks = 0;
  std::uint64_t wal_bytes = 0;
  std::uint64_t wal_syncs = 0;
};
database_work work_of(const servers& which);

// Nobody but one bare client each.
struct ceilings {
  double produced_per_s = 0;    // messages of 700 bytes, acks=all, idempotent, linger 1 ms
  double commits_per_s = 0;     // one row a transaction, durable
  double batch_rows_per_s = 0;  // 64 rows a transaction by one statement with arrays, durable
};
ceilings measure_ceilings(const servers& which, double seconds_each);

}  // namespace gantry::bench
