// What follows when a process of `gantry run` dies: who is to blame is read from its black box, said, and runs apart
// from then on; events that it died on too often are parked. Owned by run. Thread: main.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "app/host_process.hpp"
#include "base/result.hpp"
#include "cli/processes.hpp"
#include "supervisor/supervisor.hpp"
#include "topology/topology.hpp"

namespace gantry::cli {

class deaths {
 public:
  // What a process would start with now, if its host has this state directory; nothing: that can't be read.
  using topology_of =
      std::function<std::optional<topology::topology>(const std::string& process, const std::string& state)>;
  // `open_log`: called before the first line of this process's own. The plan outlives it.
  deaths(topology_of now, process_plan& plan, std::vector<std::string> hosts, std::function<void()> open_log);

  // The members as the topology and the quarantine ask for them. The one process of an only host is the principal.
  result<std::vector<supervisor::member>> members();

  // For family::after.
  supervisor::aftermath after(const supervisor::member& which, pid_t pid, const supervisor::exit_report& how);

 private:
  // Takes over what the host of a process runs by now.
  void follow(const std::string& process);
  // Takes over who is in quarantine on a host now.
  void look_at(const std::string& host);

  const topology_of now_;
  process_plan& plan_;
  const std::vector<std::string> hosts_;
  const std::function<void()> open_log_;
  quarantined_plugins quarantined_;  // as each host's process was started with it
  bool log_open_ = false;
};

// What a process of `host` is told of deaths before. A file that can't be read is said in the log.
std::vector<runtime::deadly_work> deadly_work_of(const topology::topology& model, const std::string& host);

}  // namespace gantry::cli
