// The command line, a file for each subcommand. Exit codes: 0 ok, 1 failed, 2 usage.
#pragma once

#include <string>
#include <vector>

namespace gantry::cli {

struct run_arguments {
  std::string topology = "config/topology.yaml";
  std::string host;
  std::string log_level = "info";
  bool json = false;
  bool text = false;  // log lines for a person, also when stderr is no terminal
  long drain_timeout_ms = 30'000;
  bool watch = false;              // rebuilt plugins, and the topology when it changes, are taken as they come
  bool supervised = true;          // a parent process that survives starts it again
  std::vector<std::string> inner;  // of a process among those of one host: where each of them is, NAME=HOST:PORT
  std::string state;               // the host's state directory, of an isolated plugin's process
  std::string control_group;       // of an isolated plugin's process; empty: it bounds itself, if at all
  std::string no_control_group;    // why there is none
};
// Runs a host, or each of several in a process of its own, until SIGTERM or SIGINT; drains.
int run(const run_arguments& arguments);

struct file_arguments {
  std::string topology = "config/topology.yaml";
  bool json = false;
};
int validate(const file_arguments& arguments);
int graph(const file_arguments& arguments, const std::string& format);
int inspect(const std::string& file, bool json);

// These speak to running hosts: those of the topology that can answer, or the one that is named.
struct remote_arguments {
  std::string topology = "config/topology.yaml";
  std::string host;     // of the topology
  std::string address;  // host:port
  std::string token;
  bool json = false;
};
struct tail_arguments {
  std::string topic;  // empty: all
  std::string type;
  std::string key;
  std::string correlation_id;
  std::string from = "end";  // end or start
  bool follow = true;
};
int tail(const remote_arguments& remote, const tail_arguments& arguments);
int trace(const remote_arguments& remote, const std::string& correlation_id);
int dlq_list(const remote_arguments& remote, const std::string& plugin);
int dlq_show(const remote_arguments& remote, const std::string& plugin, const std::string& id);
int dlq_act(const remote_arguments& remote, const std::string& plugin, const std::string& id,
            const std::string& action);
int replay(const remote_arguments& remote, const std::string& plugin, const std::string& topic, const std::string& from,
           bool accept_gap);

int quarantine_list(const remote_arguments& remote);
// Ends a plugin's quarantine on each host that runs it. `now`: the host starts anew for it.
int quarantine_release(const remote_arguments& remote, const std::string& plugin, bool now);

struct swap_arguments {
  std::string plugin;
  std::string file;  // empty: the topology's library as it is now
  bool force = false;
  long probation_ms = -1;  // negative: the topology's
  bool last = false;       // only shows the last receipt
};
// Replaces a running plugin on each host that runs it, one after the other; stops at the first that does not go
// through.
int swap(const remote_arguments& remote, const swap_arguments& arguments);

struct top_arguments {
  bool once = false;
  long interval_ms = 1'000;
};
// What the hosts and their plugins do, anew every interval until q; or once.
int top(const remote_arguments& remote, const top_arguments& arguments);

struct plan_arguments {
  std::string topology = "config/topology.yaml";  // the new one
  std::string token;
  std::string plan;        // apply: only this one, by its hash; empty: whatever it is
  bool force = false;      // also what breaks something
  long probation_ms = -1;  // of swaps; negative: the topology's
  bool json = false;
};
// What the running hosts would have to do to be what the topology says. 0: nothing, 2: something, 1: it can't be.
int plan(const plan_arguments& with);
// Does it, and takes back what was done when a step fails.
int apply(const plan_arguments& with);

// Needs both topologies' stores, and no running host.
struct store_copy_arguments {
  std::string from = "config/topology.yaml";
  std::string to;
  std::vector<std::string> plugins;  // empty: all whose store differs
  bool json = false;
};
int store_copy(const store_copy_arguments& arguments);

// Parses and dispatches.
int main(int argc, char** argv);

}  // namespace gantry::cli
