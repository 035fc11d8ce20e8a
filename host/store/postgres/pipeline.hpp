// Commands on their way to the server: they go out together and their answers come back together, in one round trip.
//
// A failure makes the server skip what follows, up to the next sync. Each command carries what its sender needs to know
// then: whose it was.
// Owned by a session. Thread: that of the session.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "store/postgres/values.hpp"

struct pg_conn;
struct pg_result;

namespace gantry::store::postgres {

struct result_closer {
  void operator()(pg_result* result) const noexcept;
};
using result_handle = std::unique_ptr<pg_result, result_closer>;

class pipeline {
 public:
  enum class part {
    control,    // of the session's own: savepoints, BEGIN
    statement,  // somebody's
    commit,
  };
  enum class answer {
    drop,   // only a failure is of interest
    learn,  // how many rows it changed is noted
    keep,
    count,        // the rows that it changed are added up
    as_foreseen,  // only when it changed another number of rows than was foreseen
  };
  struct command {
    part what = part::control;
    std::uint64_t scope = 0;  // the savepoint it ran in
    answer wants = answer::drop;
    bool guarded = false;                     // behind the savepoint that protects what was before it
    bool trusted = false;                     // its sender has gone on as if it had succeeded
    std::int64_t foreseen = -1;               // and had changed so many rows
    std::shared_ptr<const std::string> text;  // of a statement, for its failure
  };
  struct outcome {
    std::vector<result_handle> kept;  // answers that were wanted, in order
    std::int64_t changed = 0;         // rows, by commands that count
    std::vector<std::pair<std::shared_ptr<const std::string>, std::int64_t>> learned;  // statements, and rows
    bool lost = false;       // the connection is gone; `message` says how
    bool late = false;       // lost because the answers did not come in time
    bool failed = false;     // a command failed, the rest was skipped
    bool surprised = false;  // a command changed another number of rows than was foreseen
    command by;              // the one that failed, or else the first that surprised
    std::string sqlstate;
    std::string message;
    std::string routine;  // the server's function that raised it
  };

  // Puts the connection into pipeline mode for good. It must be open, and outlive this. `patience`: how long settle()
  // waits for all answers before it counts the connection as lost; 0: for as long as there is one.
  explicit pipeline(pg_conn* on, std::chrono::milliseconds patience = {});
  pipeline(const pipeline&) = delete;
  pipeline& operator=(const pipeline&) = delete;

  // Adds a command. False: the connection is gone; settle() then says so.
  bool run(const char* name, command about);
  bool run(const char* name, const encoder& with, bool binary, command about);
  bool run_text(std::string_view sql, command about);
  bool prepare(const char* name, const std::string& sql, command about);
  bool describe(const char* name, command about);

  // Sends what was added without waiting; its answers are read, and dropped, by the next settle().
  void send();
  // Sends what was added, waits for all answers.
  outcome settle();

  std::size_t pending() const noexcept { return commands_.size(); }

 private:
  using steady = std::chrono::steady_clock;

  bool added(int sent, command&& about);
  void receive(outcome& into);
  // The next answer; null also when it does not come in time.
  result_handle take_answer();
  void lose(outcome& into);

  pg_conn* on_;
  const std::chrono::milliseconds patience_;
  steady::time_point until_{};  // of the settle() that waits
  bool late_ = false;
  std::vector<command> commands_;
  std::size_t unsynced_ = 0;
  std::size_t forgotten_ = 0;  // commands of an earlier send(), before the sync that ends them
  bool lost_ = false;
};

}  // namespace gantry::store::postgres
