#include "store/postgres/doubt.hpp"

#include <array>
#include <thread>

namespace gantry::store::postgres {
namespace {

constexpr std::chrono::milliseconds pause{20};

enum class stage { over, running, unanswered };

// Whether the transaction can't change any more. What still runs is ended: its client is gone.
stage look(connection& on, const doubtful_commit& which, std::string& why) {
  connection::refusal refused;
  const std::array number{which.number};
  const auto state = on.ask("SELECT pg_xact_status($1::xid8)", number, refused);
  // "in the future": the server has crashed and never heard of it.
  if (!state && refused.sqlstate == "22023") return stage::over;
  if (!state) {
    why = refused.text;
    return stage::unanswered;
  }
  if ((*state)[0][0] != "in progress") return stage::over;
  why = "the server still works on the transaction";
  const std::array backend{std::to_string(which.backend), which.number};
  on.ask("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid = $1::int AND backend_xid = $2::xid8::xid",
         backend, refused);
  return stage::running;
}

}  // namespace

fate resolve(const postgres_options& options, const address& where, const doubtful_commit& which, std::string& why) {
  const auto until = std::chrono::steady_clock::now() + options.doubt_timeout;
  std::unique_ptr<connection> on;
  do {
    if (!on) {
      auto opened = connection::open(options, where, role::service);
      if (opened) {
        on = std::move(opened).value();
      } else {
        why = opened.failure().text;
      }
    }
    const auto now = on ? look(*on, which, why) : stage::unanswered;
    if (now == stage::over) {
      // A statement of its own, so that it sees what had been committed when the state was asked for.
      connection::refusal refused;
      const std::array writer{which.writer};
      const auto row = on->ask("SELECT number FROM gantry_commit WHERE writer = $1", writer, refused);
      if (row) return !row->empty() && (*row)[0][0] == which.number ? fate::committed : fate::undone;
      why = refused.text;
    }
    if (now != stage::running) on.reset();
    std::this_thread::sleep_for(pause);
  } while (std::chrono::steady_clock::now() < until);
  return fate::unknown;
}

}  // namespace gantry::store::postgres
