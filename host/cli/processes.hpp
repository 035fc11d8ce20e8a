// The processes that `gantry run` needs: one for each host, and one more for each plugin that runs apart from its host.
// Owned by run. Thread: main.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "app/host_process.hpp"
#include "base/result.hpp"
#include "blackbox/box.hpp"
#include "cli/commands.hpp"
#include "supervisor/control_groups.hpp"
#include "supervisor/memory_bound.hpp"
#include "supervisor/reserved_port.hpp"
#include "supervisor/supervisor.hpp"
#include "topology/topology.hpp"

namespace gantry::cli {

// The ports of this machine that the topology gives to somebody.
std::set<std::uint16_t> ports_of(const topology::topology& model);

// By host: plugins that run apart though the topology does not say so.
using quarantined_plugins = std::map<std::string, std::set<std::string>>;

class process_plan {
 public:
  // `hosts`: those to run, in the order in which they are to start. The model outlives the plan.
  // `own_group`: the control group that this process is in, or why there is none.
  process_plan(run_arguments arguments, const topology::topology& model, std::vector<std::string> hosts,
               result<std::filesystem::path> own_group = supervisor::own_control_group());

  // From now on this is what the host runs by: it may have been given another topology since.
  void follow(const std::string& host, topology::topology model);
  const topology::topology& model_of(const std::string& host) const;

  // The members of a family, each with its command line and the limits of its restarts. A process that was there
  // before keeps its inner address. io: the system gives no port.
  result<std::vector<supervisor::member>> members(const quarantined_plugins& quarantined = {});

 private:
  result<topology::inner_addresses> inner_of(const std::string& host, const std::set<std::string>& plugins);
  supervisor::member member_of(const std::string& host, const std::string& plugin,
                               const topology::inner_addresses& inner);
  void take_groups();
  result<std::filesystem::path> group_of(const std::string& process, const topology::child_limits& limits);

  const run_arguments arguments_;
  const topology::topology& model_;
  std::map<std::string, topology::topology> followed_;  // by host; else model_
  const std::vector<std::string> hosts_;
  const std::set<std::uint16_t> taken_;  // ports that a host will bind, perhaps later than we look for free ones
  const std::string program_;            // the name that processes have for it
  const bool terminal_;                  // a person reads the output
  std::map<std::string, supervisor::reserved_port> ports_;  // by process
  const result<std::filesystem::path> own_group_;
  std::optional<result<supervisor::control_groups>> groups_;  // when something has limits
};

// The command line of one process: a host, or a host's plugin that runs apart.
std::vector<std::string> command_of(const run_arguments& arguments, const std::string& program,
                                    const std::string& process, bool terminal,
                                    const topology::inner_addresses& inner = {});

// Puts a new key for the processes of a family where their children find it: in the environment of this process. Ends
// the process when the system gives no random bytes. Thread: main, before any other is made.
void give_key();
// Takes it away again, so that nothing that runs here meets it in the environment. Empty: there was none. Thread: main,
// before any other is made.
std::string take_key();

// Whether a `gantry run` watches this process, which starts it again. Before take_key().
bool is_watched();

// What a process was asked for besides the signal that ends it. Thread: any.
class asked_end {
 public:
  // Another life is to follow.
  void anew() noexcept { anew_.store(true); }
  // It has no more time than this to drain.
  void within(std::chrono::milliseconds at_most) noexcept { within_.store(at_most); }

  std::chrono::milliseconds time_to_drain(std::chrono::milliseconds own) const noexcept {
    return std::min(own, within_.load());
  }
  // To end with. A process that has not drained ends all the same, and its next life follows all the same.
  int code(bool drained) const noexcept { return anew_.load() ? supervisor::start_anew : drained ? 0 : 1; }

 private:
  std::atomic<bool> anew_{false};
  std::atomic<std::chrono::milliseconds> within_{std::chrono::milliseconds::max()};
};

// Bounds this process as its plugin's limits ask: by the control group it was given, else its memory by itself. What
// bounds it is kept as long as the process lives. Says in the log what can't be done. `notes`: where it says who may be
// to blame for the memory; outlives what is returned.
std::unique_ptr<supervisor::memory_bound> bound_process(const topology::topology& model, const std::string& process,
                                                        const run_arguments& arguments, blackbox::box& notes);

// --inner NAME=HOST:PORT of each process of a host. invalid: another form.
result<topology::inner_addresses> read_inner(const std::vector<std::string>& words);

}  // namespace gantry::cli
