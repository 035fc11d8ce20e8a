// A plugin's file, loaded and asked what it declares, before it has a store or runs.
// Thread: main.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "base/result.hpp"
#include "loader/module.hpp"
#include "observability/metrics.hpp"
#include "runtime/instance.hpp"
#include "store/store.hpp"
#include "topology/topology.hpp"

namespace gantry::lifecycle {

// The plugin's file as the topology names it, found on plugin_path. not_found: there is none.
result<std::filesystem::path> library_of(const topology::topology& model, const std::string& plugin);

// SHA-256 of what a plugin takes over only when an instance of it begins: its configuration, and when it counts as stuck.
std::string settings_digest(const topology::plugin_settings& of);

// SHA-256 of that file. not_found: there is none; else what read_image says.
result<std::string> library_digest(const topology::topology& model, const std::string& plugin);

// The file that a start of this host would take, and as which generation.
struct start_file {
  std::filesystem::path path;
  std::uint64_t generation = 0;  // 0: the topology's library, as the next one
  std::string digest;            // that it has to have; empty: any
};
// What the last change left, as long as the topology's library is the file that it was then, or is not there; else that
// library.
result<start_file> file_to_start(const topology::topology& model, const std::string& plugin, const std::string& host);

// Loads a file as a generation of the plugin, its signature and ABI checked. Errors are the loader's.
result<std::unique_ptr<loader::module>> load_generation(const topology::topology& model, const std::string& plugin,
                                                        const std::filesystem::path& file, std::uint64_t generation);

struct started_file {
  std::unique_ptr<loader::module> file;
  bool swapped = false;  // it is what the last swap left, not the topology's library: its schema may be ahead of it
};

// The generation that a host starts with, by file_to_start(). Its number is above `used`.
result<started_file> load_file(const topology::topology& model, const std::string& plugin, const std::string& host,
                               std::uint64_t used = 0);

// What the file that a host would start with says of itself; it is not loaded.
result<loader::manifest> manifest_to_start(const topology::topology& model, const std::string& plugin,
                                           const std::string& host);

// invalid: what the instance has declared differs from the manifest; the text says how.
result<void> check_declared(const runtime::instance& i, const loader::manifest& promised);

// A plugin that only declares. Its code ran in create and setup and does not run again but to be destroyed.
class declared_plugin {
 public:
  // Loads, lets it declare, and holds that against its manifest.
  static result<std::unique_ptr<declared_plugin>> load(const topology::topology& model, const std::string& plugin,
                                                       const clock& time, observability::registry& metrics);
  ~declared_plugin();
  declared_plugin(const declared_plugin&) = delete;
  declared_plugin& operator=(const declared_plugin&) = delete;

  const std::vector<store::migration>& migrations() const noexcept { return running_->declared.migrations; }

 private:
  declared_plugin() = default;

  runtime::topic_directory topics_;
  std::unique_ptr<loader::module> file_;
  std::unique_ptr<runtime::instance> running_;
};

}  // namespace gantry::lifecycle
