#include "topology/topology.hpp"

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>

namespace gantry::topology {

std::string_view name_of(bus_driver value) noexcept {
  switch (value) {
    case bus_driver::local:
      return "local";
    case bus_driver::kafka:
      return "kafka";
  }
  return "";
}

std::string_view name_of(store_driver value) noexcept {
  switch (value) {
    case store_driver::sqlite:
      return "sqlite";
    case store_driver::postgres:
      return "postgres";
  }
  return "";
}

std::string_view name_of(store_durability value) noexcept {
  switch (value) {
    case store_durability::power:
      return "power";
    case store_durability::process:
      return "process";
  }
  return "";
}

std::string_view name_of(isolation_mode value) noexcept {
  switch (value) {
    case isolation_mode::none:
      return "none";
    case isolation_mode::process:
      return "process";
  }
  return "";
}

std::string_view name_of(poison_policy value) noexcept {
  switch (value) {
    case poison_policy::park_key:
      return "park-key";
    case poison_policy::skip:
      return "skip";
    case poison_policy::halt:
      return "halt";
  }
  return "";
}

std::optional<std::string> process_env(const std::string& name) {
  const char* value = std::getenv(name.c_str());
  if (value == nullptr) return std::nullopt;
  return value;
}

parsed_topology load_topology(const std::string& file, const env_lookup& env) {
  errno = 0;
  std::ifstream stream(file, std::ios::binary);
  std::string text;
  std::array<char, 65536> part{};
  // A directory can be opened, but not be read: unlike an iterator over the buffer, read() says so by the stream's
  // state.
  while (stream.read(part.data(), part.size()), stream.gcount() > 0)
    text.append(part.data(), static_cast<std::size_t>(stream.gcount()));
  if (!stream.is_open() || stream.bad() || (text.empty() && errno != 0)) {
    parsed_topology out;
    out.model.file = file;
    out.problems.push_back(make_problem(file, {}, severity::error, "",
                                        errno != 0 ? std::strerror(errno) : "a file that can't be read",
                                        "a topology file that this process may read", ""));
    return out;
  }
  return parse_topology(text, file, env);
}

std::string for_plugin(std::string_view text, std::string_view plugin) {
  constexpr std::string_view placeholder = "{plugin}";
  std::string out(text);
  for (std::size_t at = out.find(placeholder); at != std::string::npos;
       at = out.find(placeholder, at + plugin.size())) {
    out.replace(at, placeholder.size(), plugin);
  }
  return out;
}

std::string group_of(const topology& model, const std::string& plugin) {
  const auto found = model.plugins.find(plugin);
  if (found != model.plugins.end() && found->second.group.given) return *found->second.group;
  return *model.name + '.' + plugin;
}

library_lookup find_library(const topology& model, const std::string& plugin,
                            const std::function<bool(const std::string& path)>& exists) {
  library_lookup out;
  const auto entry = model.plugins.find(plugin);
  if (entry == model.plugins.end()) return out;
  const std::string& library = *entry->second.library;
  if (library.find('/') != std::string::npos || library.ends_with(".so")) {
    out.tried.push_back(library);
  } else {
    for (const auto& directory : model.plugin_path) out.tried.push_back(*directory + '/' + library + ".so");
  }
  for (const std::string& path : out.tried) {
    if (exists(path)) {
      out.found = path;
      break;
    }
  }
  return out;
}

}  // namespace gantry::topology
