// The processes that `gantry run` needs: one for each host, and one more for each plugin that runs apart from its host.
// Owned by run. Thread: main.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "app/host_process.hpp"
#include "base/result.hpp"
#include "cli/commands.hpp"
#include "supervisor/control_groups.hpp"
#include "supervisor/memory_bound.hpp"
#include "supervisor/reserved_port.hpp"
#include "supervisor/supervisor.hpp"
#include "topology/topology.hpp"

namespace gantry::cli {

// By host: plugins that run apart though the topology does not say so.
using quarantined_plugins = std::map<std::string, std::set<std::string>>;

class process_plan {
 public:
  // `hosts`: those to run, in the order in which they are to start. The model outlives the plan.
  process_plan(run_arguments arguments, const topology::topology& model, std::vector<std::string> hosts);

  // The members of a family, each with its command line and the limits of its restarts. A process that was there
  // before keeps its inner address. io: the system gives no port.
  result<std::vector<supervisor::member>> members(const quarantined_plugins& quarantined = {});

 private:
  result<topology::inner_addresses> inner_of(const std::string& host, const std::set<std::string>& plugins);
  supervisor::member member_of(const std::string& host, const std::string& plugin,
                               const topology::inner_addresses& inner);
  std::string group_of(const std::string& process, const topology::child_limits& limits);

  const run_arguments arguments_;
  const topology::topology& model_;
  const std::vector<std::string> hosts_;
  const std::string program_;
  const bool terminal_;                                       // a person reads the output
  std::map<std::string, supervisor::reserved_port> ports_;    // by process
  std::optional<result<supervisor::control_groups>> groups_;  // once something has limits
};

// The command line of one process: a host, or a host's plugin that runs apart.
std::vector<std::string> command_of(const run_arguments& arguments, const std::string& program,
                                    const std::string& process, bool terminal,
                                    const topology::inner_addresses& inner = {});

// Puts a new key for the processes of a family where their children find it.
void give_key();
// Takes it away again, so that nothing that runs here meets it in the environment.
std::string take_key();

// Whether a `gantry run` watches this process, which starts it again.
bool is_watched();

// Bounds this process as its plugin's limits ask: by the control group it was given, else its memory by itself. What
// bounds it is kept as long as the process lives. Says in the log what can't be done.
std::unique_ptr<supervisor::memory_bound> bound_process(const topology::topology& model, const std::string& process,
                                                        const std::string& control_group);

// --inner NAME=HOST:PORT of each process of a host. invalid: another form.
result<topology::inner_addresses> read_inner(const std::vector<std::string>& words);

}  // namespace gantry::cli
