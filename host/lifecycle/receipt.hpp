// What a swap did, step by step and in numbers: printed, kept under <state>/receipts/, shown by `gantry swap --last`.
// Thread: any.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "base/result.hpp"

namespace gantry::lifecycle {

enum class swap_outcome {
  begun,  // it is under way, or the process has died in it
  swapped,
  refused,
  flipped_back,
  stuck,        // it was to go back and could not: the newer one works on, and a restart has the former one
  interrupted,  // the process ended before it did
};
std::string_view to_string(swap_outcome outcome) noexcept;

struct swap_step {
  std::string name;
  std::int64_t us = 0;
};

// What the plugin's work came to between the first step and the last, whichever generation did it.
struct swap_work {
  std::uint64_t requests = 0;
  std::uint64_t request_errors = 0;  // answered with 500 or more
  std::uint64_t events = 0;
  std::uint64_t events_duplicate = 0;  // seen before, dropped
  std::uint64_t event_errors = 0;
  std::uint64_t events_parked = 0;
  std::uint64_t jobs = 0;
  std::uint64_t job_errors = 0;
};

struct swap_receipt {
  std::string plugin;
  std::string host;
  swap_outcome outcome = swap_outcome::refused;
  bool busy = false;                   // refused because another change was under way: it may go through later
  std::vector<std::string> reasons;    // why it was refused or went back; empty when it went through
  std::vector<std::string> overruled;  // what --force let pass
  std::string from_version;
  std::string to_version;
  std::uint64_t from_generation = 0;
  std::uint64_t to_generation = 0;  // 0: it was not loaded
  std::string from_digest;
  std::string to_digest;
  std::int64_t begun_us = 0;  // wall
  std::vector<swap_step> steps;
  std::int64_t lane_pause_us = 0;   // nothing of the plugin's lane ran
  std::int64_t route_pause_us = 0;  // requests waited at the door; 0: none had to
  std::uint64_t held_requests = 0;  // that waited so
  swap_work work;
  std::uint64_t state_bytes = 0;  // handed over in memory
  std::uint32_t state_format = 0;
  std::vector<std::string> resident;  // what stayed in memory, and why
};

std::string to_json(const swap_receipt& receipt);

// Under <state>/receipts/: <plugin>.<host>.json, the last one, and one with its time, of which the newest hundred stay.
// Kept again with the same time it replaces itself. `last`: false for one that must not hide another under way. io.
result<void> keep_receipt(const std::filesystem::path& state, const swap_receipt& receipt, bool last = true);
// At a start: a last one that has only begun was interrupted, and says so from then on.
void settle_receipt(const std::filesystem::path& state, const std::string& plugin, const std::string& host);
// The JSON of the last one. not_found: none was made.
result<std::string> last_receipt(const std::filesystem::path& state, const std::string& plugin,
                                 const std::string& host);

}  // namespace gantry::lifecycle
