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
