// Which generation of a plugin a host starts with: <state>/generations/<plugin>.<host>.current. A swap moves it when
// the new generation has proven itself, so that a host that is killed at any moment comes up in exactly one. Thread:
// any; one writer a plugin.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "base/result.hpp"

namespace gantry::lifecycle {

struct generation_pointer {
  std::uint64_t generation = 1;
  std::filesystem::path copy;  // the file of this generation, kept in the state directory
  std::string digest;          // SHA-256 of it
  std::string
      library_digest;  // of the topology's `library:` when the pointer was written: once that differs, the library wins
  bool preferred = false;  // somebody has put this file in that library's place; else the library is still to come
  // What this file was put in the place of, for whoever takes that back, also after a restart. Empty: nobody will.
  std::filesystem::path former_copy{};
  std::string former_digest{};  // SHA-256 of it
  std::string former_run{};     // of the change that has put it there
};

// Nothing: no swap has been made. invalid: the file is not one of ours; the text names the line.
result<std::optional<generation_pointer>> read_pointer(const std::filesystem::path& state, const std::string& plugin,
                                                       const std::string& host);

// Durable when it returns. io: the text carries the system's reason.
result<void> write_pointer(const std::filesystem::path& state, const std::string& plugin, const std::string& host,
                           const generation_pointer& to);

}  // namespace gantry::lifecycle
