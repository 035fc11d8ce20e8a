// The newest bytes of the journal in memory: what is still to be written, and what was written last, for readers.
// Files are written in whole blocks, past the page cache, so a piece begins with what its first block held before.
// Owned by the journal. Thread: begin, take, seal and to_write under the journal's mutex, all else any.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <deque>
#include <memory>
#include <mutex>
#include <string_view>
#include <vector>

#include "bus/local/segment.hpp"

namespace gantry::bus::local {

constexpr std::uint64_t whole_blocks(std::uint64_t bytes) noexcept {
  return (bytes + block_bytes - 1) / block_bytes * block_bytes;
}

// Memory for some pieces; its front is aligned to a block.
class slab {
 public:
  explicit slab(std::size_t bytes);
  char* front() const noexcept { return bytes_.get(); }
  std::size_t size() const noexcept { return size_; }

 private:
  struct give_back {
    void operator()(char* bytes) const noexcept { std::free(bytes); }
  };
  std::size_t size_;
  std::unique_ptr<char, give_back> bytes_;
};

// Bytes that follow each other in one segment. Once it is closed nothing in it changes.
struct piece {
  std::shared_ptr<segment> where;
  std::uint64_t at = 0;    // in the file, at a block
  std::uint64_t size = 0;  // from `at` on; zeros follow up to a whole block
  std::shared_ptr<slab> memory;
  char* front = nullptr;
  bool seals = false;  // holds nothing: the segment ends at `at`, which need not be at a block

  std::uint64_t position() const noexcept { return where->start() + at; }
};

// Frames of one segment that lie in memory; views are good as long as `held` is.
struct frames_in_memory {
  std::size_t first = 0;  // frames of the plan before this one are in the file only
  std::vector<const char*> frames;
  std::vector<std::shared_ptr<const slab>> held;
};

class tail {
 public:
  // About so many bytes are kept, and half as many may wait to be written.
  explicit tail(std::size_t max_bytes);

  // What is taken from now on lies in this segment, from its front.
  void begin(std::shared_ptr<segment> where);
  // The segment ends here.
  void seal();
  // Room for the next `bytes` bytes, to be filled before the journal's mutex is released.
  char* take(std::size_t bytes);

  // Whether so many more bytes may wait to be written. Nothing is too large when nothing waits.
  bool has_room(std::size_t bytes) const;
  // Whether pieces wait that will not grow any more.
  bool has_whole_pieces() const;

  // What waits to be written, in order, closed. Without `all` only what is closed already.
  std::vector<piece> to_write(bool all);
  // The first piece that waited is in the file.
  void written();

  // Finds those of the frames that are in memory: the last ones, if any. They belong to segment `of`, in order.
  frames_in_memory find(const segment& of, const frame_list& frames) const;

  // Gives back the memory of what is written.
  void shrink();

 private:
  class pool;

  void close();
  void open_piece(std::size_t bytes);
  void drop_written_beyond(std::size_t bytes);
  bool drop_front();

  const std::size_t max_bytes_;
  const std::size_t slab_bytes_;
  const std::shared_ptr<pool> pool_;

  mutable std::mutex mutex_;
  std::shared_ptr<segment> where_;
  std::deque<piece> pieces_;   // by position; the last one may be open
  std::size_t written_ = 0;    // so many pieces from the front are in the file
  bool open_ = false;          // the last piece can grow
  std::uint64_t end_ = 0;      // in the segment
  std::uint64_t waiting_ = 0;  // bytes not written
  std::size_t held_bytes_ = 0;
};

}  // namespace gantry::bus::local
