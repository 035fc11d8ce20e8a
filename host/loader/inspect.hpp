// What `gantry inspect` prints: everything about a plugin file that can be known without loading it.
// Thread: any.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "loader/elf_file.hpp"
#include "loader/manifest.hpp"
#include "loader/signature.hpp"

namespace gantry::loader {

struct inspection {
  std::string file;
  std::string digest;  // SHA-256
  std::size_t size = 0;
  elf_facts elf;
  std::optional<loader::manifest> manifest;
  signature_report signature;
  std::vector<std::string> faults;  // why no host of this build would load it; empty: it would
  std::vector<std::string> risks;   // what may keep it mapped after an unload, and what it exports beyond the entry
};

// Fails only when the file can't be read or is no shared library of this architecture; all else is in the report.
result<inspection> inspect(const std::filesystem::path& file, const std::vector<public_key>& keys);

std::string to_text(const inspection& report);
std::string to_json(const inspection& report);

// Reads the manifest of a file without loading it. invalid: no section, or not a manifest; the text names the file.
result<manifest> read_manifest(const std::filesystem::path& file);
result<manifest> manifest_of(const file_image& image, const elf_facts& facts);

// This host's ABI.
abi_version host_abi() noexcept;

// Whether a host with ABI `host` loads what was built for `plugin`. unsupported: e.g. "order.so: built for ABI 2.1,
// this host has 1.0: rebuild the plugin or use a gantry with ABI >= 2.1".
result<void> check_abi(const std::string& file_name, abi_version plugin, abi_version host);

}  // namespace gantry::loader
