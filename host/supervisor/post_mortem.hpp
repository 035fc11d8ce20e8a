// Why a process of a host ended, and whose doing it was: by its black box and by how the system says it ended.
// Owned by nobody; values. Thread: any.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "blackbox/reading.hpp"
#include "supervisor/child.hpp"

namespace gantry::supervisor {

// Whoever is killed from outside was most likely doing what it had been doing for long: most plugin code returns within
// less than this.
inline constexpr std::int64_t long_inside_us = 100'000;

struct finding {
  bool meant = false;  // the process ended because it was meant to; nothing else is set
  std::string how;     // "killed by signal 11 (Segmentation fault) at 0x10"
  // At fault, or, when several: those that may be. Empty: nobody was in plugin code.
  std::vector<blackbox::thread_account> culprits;
  std::vector<blackbox::thread_account> others;  // that were in plugin code as well
  std::vector<blackbox::frame> stack;            // of the thread at fault, innermost first
};

// `box`: what the process noted; an error: it noted nothing that can be read. `died_us`: steady, about when.
finding examine(const result<blackbox::account>& box, pid_t pid, const exit_report& how, std::int64_t died_us);

// <state>/blackbox/<process>.box
std::filesystem::path box_path(const std::filesystem::path& state, std::string_view process);

// Keeps the finding beside the box, as JSON, for people; returns the file. The newest fifty of a process stay. io: it
// can't be written.
result<std::filesystem::path> keep_finding(const std::filesystem::path& state, std::string_view process, pid_t pid,
                                           const finding& what, std::int64_t wall_us);

}  // namespace gantry::supervisor
