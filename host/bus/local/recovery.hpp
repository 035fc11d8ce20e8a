// Finds out what a journal directory holds: cuts a torn tail, refuses damage, says where every partition stands.
// Thread: the one that opens the bus.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <vector>

#include "bus/local/segment.hpp"

namespace gantry::bus::local {

struct recovered_section {
  section summary;
  std::shared_ptr<frame_list> frames;  // null: in the index file
};

struct recovered_segment {
  std::shared_ptr<segment> where;
  std::uint64_t size = 0;
  std::uint64_t state_at = 0;
  bool indexed = false;  // its index file is there and sound
  std::vector<recovered_section> sections;
};

struct recovered_journal {
  journal_state state;                      // topics, groups, and `next` where no offset was ever given
  std::vector<recovered_segment> segments;  // oldest first
  std::uint64_t end = 0;                    // the journal goes on here
};

// An empty directory gives an empty state without a bus id. What is kept is synced when this returns.
// corrupt: bytes that were synced are damaged; the text names the file and the position.
result<recovered_journal> recover(file_system& files, const std::filesystem::path& directory);

}  // namespace gantry::bus::local
