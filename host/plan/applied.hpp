// Which topology a host runs, and of which topology file it was taken: <state>/topology/<host>.applied; beside it, for
// people, the text alone as <host>.yaml. What `gantry apply` has brought counts at the next start as long as that file
// is what it was then; once it differs, the file wins. Thread: any; one writer a host.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/result.hpp"

namespace gantry::plan {

struct applied_topology {
  std::string file;         // the topology file that the host was started with
  std::string file_digest;  // SHA-256 of it then
  std::string text;         // what the host runs
  // What it ran before, for whoever takes that back: the note of then is this. Empty: nobody will.
  std::string former_digest{};       // SHA-256 of the text
  std::string former_file_digest{};  // its file_digest
  bool by_who_lives = false;         // the process that has written it still runs
};

// Durable when it returns. io.
result<void> write_applied(const std::filesystem::path& state, const std::string& host, const applied_topology& what);

// Nothing: no host of this name has written one, or it is not complete, or there is no state directory (an empty path).
std::optional<applied_topology> read_applied(const std::filesystem::path& state, const std::string& host);

// The file that says what a host runs.
std::filesystem::path applied_note(const std::filesystem::path& state, const std::string& host);

// Every host that has written one.
std::vector<std::string> applied_hosts(const std::filesystem::path& state);

// What takes the place of `present` when a host goes by another text, which was brought from `file`: should the
// topology file, now of `file_digest`, be that one, it says what it said when it was read, whatever it has become
// since.
applied_topology next_applied(const std::optional<applied_topology>& present, const std::string& topology_file,
                              const std::string& file_digest, const std::string& file, const std::string& text);
// What was noted before `present`, as far as `text` is what ran then; else as next_applied().
applied_topology former_applied(const std::optional<applied_topology>& present, const std::string& topology_file,
                                const std::string& file_digest, const std::string& file, const std::string& text);

// SHA-256 of a text. Thread: any.
std::string digest_of_text(std::string_view text);

}  // namespace gantry::plan
