#include "cli/processes.hpp"

#include <signal.h>
#include <sys/random.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <filesystem>

#include "blackbox/crash.hpp"
#include "observability/log.hpp"
#include "topology/address.hpp"
#include "topology/isolation.hpp"

namespace gantry::cli {
namespace {

constexpr const char* key_variable = "GANTRY_INNER_KEY";

// The program of this process, also when its file has been replaced meanwhile: parent and children understand each
// other.
constexpr const char* this_program = "/proc/self/exe";

std::string program_path() {
  std::error_code failed;
  auto path = std::filesystem::read_symlink(this_program, failed).string();
  if (constexpr std::string_view gone = " (deleted)"; path.ends_with(gone)) path.resize(path.size() - gone.size());
  return failed ? "gantry" : path;
}

supervisor::restart_limits limits_of(const topology::restart_settings& restart) {
  supervisor::restart_limits out;
  out.max_restarts = *restart.max_restarts;
  out.window_us = restart.window->count();
  return out;
}

supervisor::process_limits limits_of(const topology::child_limits& limits) { return {*limits.memory, *limits.cpu}; }

}  // namespace

std::set<std::uint16_t> ports_of(const topology::topology& model) {
  std::set<std::uint16_t> out;
  const auto add = [&](const std::string& address) {
    if (const auto at = topology::parse_address(address)) out.insert(at->port);
  };
  for (const auto& [name, host] : model.hosts) {
    add(*host.http);
    if (host.admin.address.given) add(*host.admin.address);
  }
  return out;
}

process_plan::process_plan(run_arguments arguments, const topology::topology& model, std::vector<std::string> hosts,
                           result<std::filesystem::path> own_group)
    : arguments_(std::move(arguments)),
      model_(model),
      hosts_(std::move(hosts)),
      taken_(ports_of(model)),
      program_(program_path()),
      terminal_(isatty(STDERR_FILENO) == 1),
      own_group_(std::move(own_group)) {}

void process_plan::follow(const std::string& host, topology::topology model) {
  followed_.insert_or_assign(host, std::move(model));
}

const topology::topology& process_plan::model_of(const std::string& host) const {
  const auto known = followed_.find(host);
  return known == followed_.end() ? model_ : known->second;
}

result<topology::inner_addresses> process_plan::inner_of(const std::string& host,
                                                         const std::set<std::string>& plugins) {
  topology::inner_addresses out;
  if (plugins.empty()) return out;
  auto names = std::vector{host};
  for (const auto& plugin : plugins) names.push_back(topology::process_of(host, plugin));
  for (const auto& name : names) {
    auto at = ports_.find(name);
    if (at == ports_.end()) {
      auto port = supervisor::reserved_port::take([this](std::uint16_t offered) { return !taken_.contains(offered); });
      if (!port) return port.failure();
      at = ports_.emplace(name, std::move(*port)).first;
    }
    out.emplace(name, at->second.address());
  }
  return out;
}

supervisor::member process_plan::member_of(const std::string& host, const std::string& plugin,
                                           const topology::inner_addresses& inner) {
  const auto& model = model_of(host);
  supervisor::member out;
  out.name = topology::process_of(host, plugin);
  out.program = this_program;
  out.arguments = command_of(arguments_, program_, out.name, terminal_, inner);
  out.waits_for_signals = true;
  if (plugin.empty()) {
    // A host that is not there says so itself.
    if (const auto known = model.hosts.find(host); known != model.hosts.end())
      out.limits = limits_of(known->second.restart);
    const bool local = *model.bus.driver == topology::bus_driver::local;
    out.ends_last = local && (model.bus.owner->empty() || *model.bus.owner == host);
  } else {
    out.limits = limits_of(model.plugins.at(plugin).restart);
    out.ended_by = host;
    out.arguments.insert(out.arguments.end(), {"--state", *model.state});
    if (const auto& limits = model.plugins.at(plugin).limits; limits_of(limits).any()) {
      const auto group = group_of(out.name, limits);
      out.arguments.insert(out.arguments.end(), {group ? "--control-group" : "--no-control-group",
                                                 group ? group->string() : group.failure().text});
    }
  }
  return out;
}

// Before any process is started, also when what has limits runs in its host's for now: controllers can't be handed down
// from a group that other processes are in.
void process_plan::take_groups() {
  const bool wanted = std::ranges::any_of(hosts_, [&](const std::string& host) {
    return std::ranges::any_of(model_of(host).plugins, [&](const auto& entry) {
      const auto& plugin = entry.second;
      return limits_of(plugin.limits).any() &&
             std::ranges::any_of(plugin.hosts, [&](const auto& one) { return *one == host; });
    });
  });
  if (groups_ || !wanted) return;
  groups_ = own_group_ ? supervisor::control_groups::take(*own_group_)
                       : result<supervisor::control_groups>(own_group_.failure());
}

// Why there is none is for the process to say, which looks after its limits then.
result<std::filesystem::path> process_plan::group_of(const std::string& process, const topology::child_limits& limits) {
  if (!*groups_) return groups_->failure();
  return (*groups_)->limit(process, limits_of(limits));
}

result<std::vector<supervisor::member>> process_plan::members(const quarantined_plugins& quarantined) {
  take_groups();
  std::vector<supervisor::member> out;
  for (const auto& host : hosts_) {
    const auto found = quarantined.find(host);
    const auto plugins = topology::isolated_on(model_of(host), host,
                                               found == quarantined.end() ? std::set<std::string>{} : found->second);
    const auto inner = inner_of(host, plugins);
    if (!inner) return inner.failure();
    out.push_back(member_of(host, {}, *inner));
    for (const auto& plugin : plugins) out.push_back(member_of(host, plugin, *inner));
  }
  return out;
}

std::vector<std::string> command_of(const run_arguments& arguments, const std::string& program,
                                    const std::string& process, bool terminal, const topology::inner_addresses& inner) {
  std::vector<std::string> out = {
      program, "run",         "--topology",        arguments.topology,   "--host",
      process, "--log-level", arguments.log_level, "--drain-timeout-ms", std::to_string(arguments.drain_timeout_ms)};
  if (arguments.watch) out.emplace_back("--watch");
  if (arguments.json) out.emplace_back("--json");
  // It writes into a pipe; whether a person reads is known here.
  if (arguments.text || (terminal && !arguments.json)) out.emplace_back("--text");
  for (const auto& [name, address] : inner) out.insert(out.end(), {"--inner", name + "=" + address});
  return out;
}

void give_key() {
  std::array<unsigned char, 32> bytes{};
  // Never short: so few bytes come at once or, before the system has any, later.
  if (getrandom(bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) std::abort();
  constexpr char digits[] = "0123456789abcdef";
  std::string key;
  for (const auto byte : bytes) key.append({digits[byte >> 4U], digits[byte & 0xFU]});
  setenv(key_variable, key.c_str(), 1);
}

std::string take_key() {
  const char* const found = std::getenv(key_variable);
  std::string key = found == nullptr ? "" : found;
  unsetenv(key_variable);
  return key;
}

bool is_watched() { return std::getenv(key_variable) != nullptr; }

std::unique_ptr<supervisor::memory_bound> bound_process(const topology::topology& model, const std::string& process,
                                                        const run_arguments& arguments, blackbox::box& notes) {
  const auto plugin = topology::split_process(process).plugin;
  const auto found = model.plugins.find(plugin);
  if (found == model.plugins.end()) return nullptr;
  const auto wanted = limits_of(found->second.limits);
  if (!wanted.any()) return nullptr;
  std::string why = arguments.no_control_group;
  if (!arguments.control_group.empty()) {
    auto done = supervisor::join_control_group(arguments.control_group);
    if (done) return nullptr;
    why = std::move(done).failure().text;
  }
  if (wanted.cpu > 0) observability::log_warn("limits.cpu has no effect.", {{"plugin", plugin}, {"reason", why}});
  if (wanted.memory == 0) return nullptr;
  observability::log_info("The process looks after limits.memory itself.", {{"plugin", plugin}, {"reason", why}});
  return std::make_unique<supervisor::memory_bound>(wanted.memory, [plugin, wanted, &notes](std::uint64_t found_bytes) {
    blackbox::note_suspects(notes, blackbox::end_cause::memory,
                            "the process had " + std::to_string(found_bytes) +
                                " bytes of memory, and limits.memory is " + std::to_string(wanted.memory));
    observability::log_error(
        "The process has more memory than limits.memory and is ended.",
        {{"plugin", plugin}, {"bytes", std::to_string(found_bytes)}, {"limit", std::to_string(wanted.memory)}});
    observability::flush_log();
    kill(getpid(), SIGKILL);
  });
}

result<topology::inner_addresses> read_inner(const std::vector<std::string>& words) {
  topology::inner_addresses out;
  for (const auto& word : words) {
    const auto at = word.find('=');
    if (at == std::string::npos || at == 0 || at + 1 == word.size())
      return error{errc::invalid, "--inner " + word + ": expected NAME=HOST:PORT"};
    out.emplace(word.substr(0, at), word.substr(at + 1));
  }
  return out;
}

}  // namespace gantry::cli
