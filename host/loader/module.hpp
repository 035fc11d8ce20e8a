// A plugin file, checked and loaded: one generation of a plugin.
// Owned by lifecycle, which destroys every instance before it unloads. Thread: main.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

#include "base/result.hpp"
#include "gantry/abi/entry.h"
#include "loader/inspect.hpp"
#include "loader/manifest.hpp"
#include "loader/signature.hpp"

namespace gantry::loader {

struct load_options {
  std::filesystem::path state_dir;  // the copy goes to <state_dir>/generations/
  std::string plugin_id;            // what the topology expects the file to be
  std::uint64_t generation = 1;     // never used before for this plugin by this process
  trust_policy trust;
};

// What became of the mapping.
struct unload_report {
  bool mapped = false;  // the library is still in this process, inert
  std::string why;      // what pins it, as far as its file tells; empty when it is gone
};

// Sanitizer builds never unload: reports would lose the library's symbols.
bool builds_unload() noexcept;

class module {
 public:
  module() = default;
  module(const module&) = delete;
  module& operator=(const module&) = delete;
  // Unloads, unless unload() did.
  virtual ~module() = default;

  // Valid until unload().
  virtual const gantry_entry& entry() const noexcept = 0;
  virtual const manifest& promised() const noexcept = 0;
  virtual const signature_report& signature() const noexcept = 0;
  virtual const std::string& digest() const noexcept = 0;  // SHA-256 of the file
  virtual std::uint64_t generation() const noexcept = 0;
  virtual const std::filesystem::path& source() const noexcept = 0;  // the file as it was named
  virtual const std::filesystem::path& copy() const noexcept = 0;    // the private copy that is mapped; stays on disk

  // Gives the library back to the system and looks whether it went. Every instance must have been destroyed and no
  // thread may be in the plugin's code. A second call reports the same again.
  virtual unload_report unload() = 0;
};

// Loads a plugin file, in this order, each step refusing with a text that names the file and both sides: read it; its
// manifest, without loading; id and ABI; signature; copy to <state_dir>/generations/<plugin>-<n>-<digest>.so; map
// it (the plugin's static constructors run here); find gantry_plugin and hold it against the manifest.
// invalid, not_found, unsupported (ABI), conflict (this generation is loaded), io. Nothing stays loaded on failure.
result<std::unique_ptr<module>> load(const std::filesystem::path& file, const load_options& options);

}  // namespace gantry::loader
