// Memory for a handover, made ready before requests wait for it. Most of the time that a handover takes is else the
// system's, which clears each page that is written to for the first time.
// Thread: the one that makes it, for what it allocates.
#pragma once

#include <cstdint>
#include <string>

namespace gantry::lifecycle {

class state_room {
 public:
  // For that many bytes three times, up to 64 MiB each: as the plugin writes them, as they are copied, and as the next
  // generation has them. 0: nothing is done. Until its end what this thread gives back stays with the allocator.
  explicit state_room(std::uint64_t bytes);
  ~state_room();
  state_room(const state_room&) = delete;
  state_room& operator=(const state_room&) = delete;

  std::uint64_t bytes() const noexcept { return bytes_; }

 private:
  const std::uint64_t bytes_;
  std::string setting_;         // of this thread's arena; empty: the allocator has none
  std::int64_t former_ms_ = 0;  // its value
};

}  // namespace gantry::lifecycle
