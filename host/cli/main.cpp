#include <CLI/CLI.hpp>
#include <functional>

#include "cli/commands.hpp"
#include "gantry/abi/version.h"

namespace gantry::cli {
namespace {

// Each subcommand leaves here what to do when it is the one.
using action = std::function<int()>;

template <typename F>
CLI::App* subcommand(CLI::App& app, const char* name, const char* does, action& chosen, F run) {
  auto* const command = app.add_subcommand(name, does);
  command->callback([&chosen, run] { chosen = run; });
  return command;
}

void add_run(CLI::App& app, run_arguments& with, action& chosen) {
  auto* const c = subcommand(app, "run", "Run the hosts of a topology; SIGTERM drains, SIGHUP applies what has changed",
                             chosen, [&] { return run(with); });
  c->add_option("-t,--topology", with.topology, "The topology file")->capture_default_str();
  c->add_option("--host", with.host, "The host to run; without it all hosts of this machine");
  c->add_option("--log-level", with.log_level, "debug, info, warn or error")->capture_default_str();
  c->add_option("--drain-timeout-ms", with.drain_timeout_ms, "How long to wait for work in progress")
      ->capture_default_str();
  c->add_flag("--watch", with.watch, "Take rebuilt plugins, and the topology when it changes, as they come");
  c->add_flag("!--no-supervisor", with.supervised,
              "Run the host in this very process: what ends it is not started again");
  // For the processes that it starts itself.
  c->add_option("--inner", with.inner, "Where a process of this host is, NAME=HOST:PORT")->group("");
  c->add_option("--state", with.state, "Where the host of this process keeps its state")->group("");
  c->add_option("--control-group", with.control_group, "The group that bounds this process")->group("");
  c->add_option("--no-control-group", with.no_control_group, "Why there is none")->group("");
  auto* const json = c->add_flag("--json", with.json, "JSON log lines, no table");
  c->add_flag("--text", with.text, "Log lines for a person, also into a file")->excludes(json);
}

struct file_commands {
  file_arguments with;
  std::string format = "mermaid";
  std::string library;
};

void add_file_commands(CLI::App& app, file_commands& v, action& chosen) {
  auto* c = subcommand(app, "validate", "Check a topology and its plugins; runs no plugin code", chosen,
                       [&] { return validate(v.with); });
  c->add_option("-t,--topology,file", v.with.topology, "The topology file")->capture_default_str();
  c->add_flag("--json", v.with.json, "Problems as a JSON array");
  c = subcommand(app, "graph", "Draw plugins, topics, calls and hosts", chosen,
                 [&] { return graph(v.with, v.format); });
  c->add_option("-t,--topology,file", v.with.topology, "The topology file")->capture_default_str();
  c->add_option("--format", v.format, "mermaid or dot")
      ->check(CLI::IsMember({"mermaid", "dot"}))
      ->capture_default_str();
  c = subcommand(app, "inspect", "Print what a plugin file says about itself, without loading it", chosen,
                 [&] { return inspect(v.library, v.with.json); });
  c->add_option("file", v.library, "The plugin's file")->required();
  c->add_flag("--json", v.with.json, "As JSON");
}

struct remote_commands {
  remote_arguments host;
  tail_arguments tail;
  bool once = false;
  bool accept_gap = false;
  std::string correlation_id, plugin, id, topic;
  std::string from = "earliest";
};

void add_host_options(CLI::App* c, remote_arguments& host) {
  c->add_option("-t,--topology", host.topology, "The topology whose hosts are asked")->capture_default_str();
  auto* const name = c->add_option("--host", host.host, "Ask this host of the topology");
  c->add_option("--address", host.address, "Ask the host at this host:port")->excludes(name);
  c->add_option("--token", host.token, "The host's admin.token, unless the topology has it")
      ->envname("GANTRY_ADMIN_TOKEN");
  c->add_flag("--json", host.json, "JSON instead of a table");
}

void add_event_commands(CLI::App& app, remote_commands& v, action& chosen) {
  auto* c = subcommand(app, "tail", "Follow events: time, place, type, key, correlation id, plugin", chosen, [&] {
    v.tail.follow = !v.once;
    return tail(v.host, v.tail);
  });
  c->add_option("topic", v.tail.topic, "Only this topic");
  c->add_option("--type", v.tail.type, "Only events of this type");
  c->add_option("--key", v.tail.key, "Only events of this key");
  c->add_option("--correlation", v.tail.correlation_id, "Only events with this correlation id");
  c->add_option("--from", v.tail.from, "start or end of what is stored")
      ->check(CLI::IsMember({"start", "end"}))
      ->capture_default_str();
  c->add_flag("--no-follow", v.once, "End when all that is stored has been shown");
  add_host_options(c, v.host);
  c = subcommand(app, "trace", "One request's way through all plugins, as a timeline", chosen,
                 [&] { return trace(v.host, v.correlation_id); });
  c->add_option("correlation-id", v.correlation_id, "The Correlation-Id of the request's answer")->required();
  add_host_options(c, v.host);
  c = subcommand(app, "replay", "Clear what a plugin derived from a topic, and let it read the topic again", chosen,
                 [&] { return replay(v.host, v.plugin, v.topic, v.from, v.accept_gap); });
  c->add_option("plugin", v.plugin, "The plugin")->required();
  c->add_option("topic", v.topic, "The topic")->required();
  c->add_option("--from", v.from, "earliest, an offset, or a time like 2026-01-31T12:00:00Z")->capture_default_str();
  c->add_flag("--accept-gap", v.accept_gap, "Also when retention has taken a part of it");
  add_host_options(c, v.host);
}

void add_swap(CLI::App& app, remote_arguments& host, swap_arguments& with, action& chosen) {
  auto* const c = subcommand(app, "swap", "Replace a running plugin by another version of it, while it works", chosen,
                             [&] { return swap(host, with); });
  c->add_option("plugin", with.plugin, "The plugin")->required();
  c->add_option("file", with.file, "The other version's file; without it the topology's library as it is now");
  c->add_flag("--force", with.force, "Also when others would notice: the receipt lists what was overruled");
  c->add_option("--probation-ms", with.probation_ms,
                "How long the other version may still flip back; else as the topology says")
      ->check(CLI::NonNegativeNumber);
  c->add_flag("--last", with.last, "Show the receipt of the last swap");
  add_host_options(c, host);
}

void add_top(CLI::App& app, remote_arguments& host, top_arguments& with, action& chosen) {
  auto* const c = subcommand(app, "top", "What hosts and plugins do, live: rates, errors, lag, queues, memory; q quits",
                             chosen, [&] { return top(host, with); });
  c->add_flag("--once", with.once, "Once, and end");
  c->add_option("--interval-ms", with.interval_ms, "Between two looks")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  add_host_options(c, host);
}

void add_plan_commands(CLI::App& app, plan_arguments& with, action& chosen) {
  const auto common = [&with](CLI::App* c) {
    c->add_option("-t,--topology,file", with.topology, "The new topology")->capture_default_str();
    c->add_flag("--force", with.force, "Also what others would notice");
    c->add_option("--token", with.token, "The hosts' admin.token, unless the topology has it")
        ->envname("GANTRY_ADMIN_TOKEN");
    c->add_flag("--json", with.json, "JSON instead of text");
  };
  auto* c = subcommand(app, "plan", "What running hosts would have to do to be what a topology says; 2: something",
                       chosen, [&] { return plan(with); });
  common(c);
  c = subcommand(app, "apply", "Bring running hosts to a topology, step by step; what fails is taken back", chosen,
                 [&] { return apply(with); });
  common(c);
  c->add_option("--plan", with.plan, "Only if it is still the plan with this hash");
  c->add_option("--probation-ms", with.probation_ms,
                "How long swapped plugins may flip back; else as the topology says")
      ->check(CLI::NonNegativeNumber);
}

void add_dead_letter_commands(CLI::App& app, remote_commands& v, action& chosen) {
  auto* const dlq = app.add_subcommand("dlq", "Events and jobs that were parked after their last attempt");
  dlq->require_subcommand(1);
  auto* c = subcommand(*dlq, "list", "What is parked", chosen, [&] { return dlq_list(v.host, v.plugin); });
  c->add_option("plugin", v.plugin, "Only this plugin's");
  add_host_options(c, v.host);
  const auto for_one = [&](const char* name, const char* does, auto run) {
    auto* const one = subcommand(*dlq, name, does, chosen, run);
    one->add_option("plugin", v.plugin, "The plugin")->required();
    one->add_option("id", v.id, "The id that list shows")->required();
    add_host_options(one, v.host);
  };
  for_one("show", "One event or job, with its content", [&] { return dlq_show(v.host, v.plugin, v.id); });
  for_one("replay", "Handle everything parked of this event's key again, in order; a job: run it again",
          [&] { return dlq_act(v.host, v.plugin, v.id, "replay"); });
  for_one("discard", "Delete it", [&] { return dlq_act(v.host, v.plugin, v.id, "discard"); });
}

void add_quarantine_commands(CLI::App& app, remote_commands& v, action& chosen) {
  auto* const all = app.add_subcommand("quarantine", "Plugins that run apart because their host died in their code");
  all->require_subcommand(1);
  auto* c = subcommand(*all, "list", "Which they are, and why", chosen, [&] { return quarantine_list(v.host); });
  add_host_options(c, v.host);
  c = subcommand(*all, "release", "Let one run in its host's own process again", chosen,
                 [&] { return quarantine_release(v.host, v.plugin, v.once); });
  c->add_option("plugin", v.plugin, "The plugin")->required();
  c->add_flag("--now", v.once, "The host starts anew for it; else with its next start");
  add_host_options(c, v.host);
}

void add_store_commands(CLI::App& app, store_copy_arguments& with, action& chosen) {
  auto* const store = app.add_subcommand("store", "What plugins have stored");
  store->require_subcommand(1);
  auto* const c = subcommand(*store, "copy", "Take plugins' data from SQLite to PostgreSQL, while no host runs", chosen,
                             [&] { return store_copy(with); });
  c->add_option("-t,--topology", with.from, "The topology that the data is in")->capture_default_str();
  c->add_option("--to", with.to, "The topology that it goes to")->required();
  c->add_option("plugin", with.plugins, "Only these plugins; else all whose store differs");
  c->add_flag("--json", with.json, "JSON instead of a table");
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Gantry runs service plugins from a topology file: all in one process, or spread over many.", "gantry");
  app.set_version_flag("--version", "gantry " GANTRY_SDK_VERSION);
  app.require_subcommand(1);
  run_arguments run_with;
  file_commands files;
  remote_commands remote;
  store_copy_arguments copy_with;
  swap_arguments swap_with;
  action chosen;
  add_run(app, run_with, chosen);
  add_file_commands(app, files, chosen);
  add_event_commands(app, remote, chosen);
  add_dead_letter_commands(app, remote, chosen);
  add_quarantine_commands(app, remote, chosen);
  add_swap(app, remote.host, swap_with, chosen);
  top_arguments top_with;
  add_top(app, remote.host, top_with, chosen);
  plan_arguments plan_with;
  add_plan_commands(app, plan_with, chosen);
  add_store_commands(app, copy_with, chosen);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    return app.exit(e) == 0 ? 0 : 2;
  }
  return chosen ? chosen() : 2;
}

}  // namespace gantry::cli
