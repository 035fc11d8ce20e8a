// Runs the hosts of a topology as child processes of this one: starts them in order, merges their output, passes
// signals on, starts again what died, and waits for all to drain. Owned by cli. Thread: main, which must have no other
// use for the signals below.
#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "supervisor/restart_policy.hpp"

namespace gantry::supervisor {

struct member {
  std::string name;                    // of the host
  std::vector<std::string> arguments;  // the program first
  restart_limits limits;
  bool ends_last = false;  // the others need it until they have ended
  // It waits for SIGTERM, SIGINT and SIGHUP with sigwait, as a host does: it begins with them blocked, so that one that
  // comes while it is loaded does not kill it.
  bool waits_for_signals = false;
};

struct family {
  std::vector<member> members;                 // started in this order
  std::chrono::milliseconds patience{40'000};  // for the end, once asked; then it is killed
  std::function<void(std::string_view)> out;   // takes whole lines of their output
};

// Blocks the signals that run() waits for. Before any other thread is made: one that does not block them takes them
// away.
void block_signals();

// Blocks SIGTERM, SIGINT, SIGHUP and SIGCHLD, and returns when all members have ended. SIGTERM and SIGINT ask them to
// end (both as SIGTERM), SIGHUP is passed on. A member that ends with code 0 by itself is not started again; one that
// dies is, by its limits; beyond them it is reported, and the others go on. True: all ended with code 0, and none was
// given up.
bool run(const family& what);

}  // namespace gantry::supervisor
