// Frames of a write-ahead log that SQLite has written and the kernel doesn't have yet.
//
// SQLite writes a frame as a header of 24 bytes and a page, and a transaction as a run of frames, of which only the
// last one says (bytes 4 to 7 of its header, the size of the database) that it commits. Nobody but the connection
// itself looks at a frame before the transaction is published in the shared index, so all may be kept until that last
// frame. Owned by an open log of gathering_vfs. Thread: the connection's.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

namespace gantry::store::sqlite {

class frame_buffer {
 public:
  enum class action {
    keep,           // the bytes are in the buffer, and may stay there
    flush,          // they are in the buffer, which must reach the kernel before the write is called done
    write_through,  // they are not: flush what is here, then write them
  };

  // Takes what SQLite writes, if it continues or begins a run of frames, or replaces a page of the run.
  action take(const void* from, std::size_t size, std::int64_t offset) noexcept;

  // What a read would find: all of the range is here (and was copied), or none of it, or a part.
  enum class overlap { all, none, part };
  overlap read(void* into, std::size_t size, std::int64_t offset) const noexcept;

  bool empty() const noexcept { return size_ == 0; }
  const char* bytes() const noexcept { return bytes_.get(); }
  std::size_t size() const noexcept { return size_; }
  std::int64_t offset() const noexcept { return begin_; }

  // The kernel has all of it.
  void flushed() noexcept;

  // The write transaction is over: what is still here was rolled back.
  void end_transaction() noexcept;

  static constexpr std::size_t limit = 1024 * 1024;  // bytes kept before they are handed on

 private:
  static constexpr std::size_t header_size = 24;
  static constexpr std::size_t largest_page = 64 * 1024;
  static constexpr std::size_t capacity = limit + header_size + largest_page;

  std::int64_t end() const noexcept { return begin_ + static_cast<std::int64_t>(size_); }
  bool append(const void* from, std::size_t size, std::int64_t offset) noexcept;

  std::unique_ptr<char[]> bytes_;  // made by the first write, so that readers have none
  std::size_t size_ = 0;
  std::int64_t begin_ = 0;
  std::int64_t reached_ = 0;  // end of what this transaction has given to the kernel
  bool awaits_page_ = false;  // a header is the last that came
  bool commits_ = false;      // and it ends a transaction
};

}  // namespace gantry::store::sqlite
