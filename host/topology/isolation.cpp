#include "topology/isolation.hpp"

#include <algorithm>

namespace gantry::topology {
namespace {

constexpr char between = '~';

bool runs_on(const plugin_settings& plugin, const std::string& host) {
  return std::ranges::any_of(plugin.hosts, [&](const auto& one) { return *one == host; });
}

void move_out(topology& model, const process_name& to, const std::string& address) {
  const auto plugin = model.plugins.find(to.plugin);
  const auto home = model.hosts.find(to.host);
  if (plugin == model.plugins.end() || home == model.hosts.end()) return;
  const auto name = process_of(to.host, to.plugin);
  host_settings own = home->second;
  own.http.value = address;
  own.http.reference.clear();
  own.advertise = own.http;
  own.admin = {};
  own.restart = plugin->second.restart;
  for (auto& host : plugin->second.hosts)
    if (*host == to.host) host.value = name;
  model.hosts.emplace(name, std::move(own));
}

}  // namespace

std::string process_of(std::string_view host, std::string_view plugin) {
  std::string out(host);
  if (!plugin.empty()) out.append(1, between).append(plugin);
  return out;
}

process_name split_process(std::string_view name) {
  const auto at = name.find(between);
  if (at == std::string_view::npos) return {std::string(name), {}};
  return {std::string(name.substr(0, at)), std::string(name.substr(at + 1))};
}

std::set<std::string> isolated_on(const topology& model, const std::string& host,
                                  const std::set<std::string>& quarantined) {
  std::set<std::string> out;
  for (const auto& [id, plugin] : model.plugins)
    if (runs_on(plugin, host) && (*plugin.isolation == isolation_mode::process || quarantined.contains(id)))
      out.insert(id);
  return out;
}

topology expand_isolation(topology model, const std::string& host, const inner_addresses& inner) {
  if (inner.size() < 2) return model;
  for (const auto& [name, address] : inner) {
    auto process = split_process(name);
    if (process.host == host && !process.plugin.empty()) move_out(model, process, address);
  }
  if (*model.bus.driver == bus_driver::local && model.bus.owner->empty()) model.bus.owner.value = host;
  return model;
}

}  // namespace gantry::topology
