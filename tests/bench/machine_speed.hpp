// What this machine does at this moment with a well-known library, to hold beside what a bench finds: machines of
// others change their speed from hour to hour.
#pragma once

#include <sqlite3.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <string>
#include <thread>
#include <vector>

namespace gantry::bench {

// Statements a second of plain SQLite on databases in memory, one for each processor, all at once: a row of 300 bytes
// with a text key inserted, found by that key, changed; a hundred such in a transaction. Takes `seconds`.
inline double sqlite_statements_per_s(double seconds) {
  using steady = std::chrono::steady_clock;
  const auto work = [until = steady::now() + std::chrono::duration_cast<steady::duration>(
                                                 std::chrono::duration<double>(seconds))](std::uint64_t& done) {
    sqlite3* db = nullptr;
    sqlite3_open(":memory:", &db);
    const auto run = [&](const char* sql) { sqlite3_exec(db, sql, nullptr, nullptr, nullptr); };
    run("CREATE TABLE yard (key TEXT PRIMARY KEY, state INTEGER, body TEXT)");
    std::vector<sqlite3_stmt*> statements;
    for (const auto* sql : {"INSERT INTO yard VALUES (?1, 0, ?2)", "SELECT state, body FROM yard WHERE key = ?1",
                            "UPDATE yard SET state = state + 1 WHERE key = ?1"})
      sqlite3_prepare_v2(db, sql, -1, &statements.emplace_back(), nullptr);
    const std::string body(300, 'x');
    for (std::uint64_t row = 0; steady::now() < until;) {
      run("BEGIN");
      for (int i = 0; i < 100; ++i, ++row) {
        // As ids are: the newest rows lie together.
        auto key = std::to_string(100'000'000'000 + row) + "-0000-7000-8000-000000000000";
        for (auto* one : statements) {
          sqlite3_bind_text(one, 1, key.data(), static_cast<int>(key.size()), SQLITE_STATIC);
          if (one == statements[0])
            sqlite3_bind_text(one, 2, body.data(), static_cast<int>(body.size()), SQLITE_STATIC);
          while (sqlite3_step(one) == SQLITE_ROW) continue;
          sqlite3_reset(one);
          ++done;
        }
      }
      run("COMMIT");
    }
    for (auto* one : statements) sqlite3_finalize(one);
    sqlite3_close(db);
  };
  std::vector<std::uint64_t> done(std::max(1U, std::thread::hardware_concurrency()));
  std::vector<std::thread> threads;
  for (auto& mine : done)
    threads.emplace_back([&work, &mine] {
      std::uint64_t count = 0;
      work(count);
      mine = count;
    });
  for (auto& t : threads) t.join();
  std::uint64_t all = 0;
  for (const auto one : done) all += one;
  return static_cast<double>(all) / seconds;
}

}  // namespace gantry::bench
