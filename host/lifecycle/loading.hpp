// A plugin's file, loaded and asked what it declares, before it has a store or runs.
// Thread: main.
#pragma once

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

// Finds the plugin's file on plugin_path and loads it as its first generation, signature and ABI checked. Errors are
// the loader's; not_found: no such file.
result<std::unique_ptr<loader::module>> load_file(const topology::topology& model, const std::string& plugin);

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
