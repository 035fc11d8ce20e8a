// Runs the hosts of a topology as child processes of this one: starts them in order, merges their output, passes
// signals on, starts again what died, and waits for all to drain. Owned by cli. Thread: main, which must have no other
// use for the signals below.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "supervisor/child.hpp"
#include "supervisor/outlet.hpp"
#include "supervisor/restart_policy.hpp"

namespace gantry::supervisor {

// A member that ends by itself with this code, in order, is started anew at once, and with it those that it ends.
inline constexpr int start_anew = 75;

struct member {
  std::string name;                    // of the host
  std::vector<std::string> arguments;  // the program first
  restart_limits limits;
  bool ends_last = false;  // the others need it until they have ended
  // It waits for SIGTERM, SIGINT and SIGHUP with sigwait, as a host does: it begins with them blocked, so that one that
  // comes while it is loaded does not kill it.
  bool waits_for_signals = false;
  // What is run, when that is not arguments[0]: another path to the same program.
  std::string program{};
  // The member that asks this one to end when it is asked itself, in its own order. Empty: it is asked here. Who is
  // still there when that member has ended is asked here too. Who has ended so is there again in that member's next
  // life.
  std::string ended_by{};
  // The host that this program is there for, with its output and its terminal; no name is put before its lines, and its
  // orderly end, with whatever code, is that of the family.
  bool principal = false;
  // Set: its first life is this, in a copy of this process, rather than the program.
  std::function<int()> first_life{};
};

// What is to follow from the end of a member.
struct aftermath {
  bool meant = true;  // it ended because it was meant to: with code 0 it is not started again
  // Set: the members that there are to be from now on, by their names. Who runs with other arguments than it is to have
  // is asked to end and started again.
  std::optional<std::vector<member>> members{};
};

struct family_end {
  bool good = true;  // all ended with code 0, and none was given up
  int code = 0;      // for this process to end with
  explicit operator bool() const noexcept { return good; }
};

struct family {
  std::vector<member> members;                 // started in this order
  std::chrono::milliseconds patience{40'000};  // for the end, once asked; then it is killed
  std::function<void(std::string_view)> out;   // takes whole lines of their output; must not wait for who reads them
  outlet* room = nullptr;                      // pushed whenever there is room; outlives run()
  std::function<void()> started{};             // called once, when all were started
  // Asked whenever a member has ended by itself, before anything is made of it. Empty: code 0 was meant.
  std::function<aftermath(const member&, pid_t, const exit_report&)> after{};
};

// Blocks the signals that run() waits for. Before any other thread is made: one that does not block them takes them
// away.
void block_signals();

// Blocks SIGTERM, SIGINT, SIGHUP and SIGCHLD, and returns when all members have ended. SIGTERM and SIGINT ask them to
// end (both as SIGTERM), SIGHUP is passed on. A member that ends with code 0 by itself is not started again; one that
// dies is, by its limits; beyond them it is reported and given up until the next SIGHUP, and the others go on. Who is asked to end, for whatever reason,
// and has not done so after `patience` is killed.
family_end run(const family& what);

}  // namespace gantry::supervisor
