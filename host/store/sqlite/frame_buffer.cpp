#include "store/sqlite/frame_buffer.hpp"

#include <algorithm>
#include <cstring>
#include <new>

namespace gantry::store::sqlite {
namespace {

bool ends_transaction(const void* header) noexcept {
  const auto* const database_size = static_cast<const char*>(header) + 4;
  return std::any_of(database_size, database_size + 4, [](char each) { return each != 0; });
}

}  // namespace

frame_buffer::action frame_buffer::take(const void* from, std::size_t size, std::int64_t offset) noexcept {
  const bool continues = size_ > 0 && offset == end();
  if (awaits_page_) {
    if (!continues || size < header_size || !append(from, size, offset)) return action::write_through;
    awaits_page_ = false;
    return commits_ || size_ >= limit ? action::flush : action::keep;
  }
  if (size == header_size) {
    // A header below what was flushed is no new frame: SQLite writes checksums anew, and no page follows which would
    // tell that the last one has come.
    const bool begins = size_ == 0 && offset >= reached_;
    if (!(continues || begins) || !append(from, size, offset)) return action::write_through;
    awaits_page_ = true;
    commits_ = ends_transaction(from);
    return action::keep;
  }
  // A page that was spilled before and has changed again. The frame that commits is never written that way.
  if (size_ > 0 && offset >= begin_ && offset + static_cast<std::int64_t>(size) <= end()) {
    std::memcpy(bytes_.get() + (offset - begin_), from, size);
    return action::keep;
  }
  return action::write_through;
}

bool frame_buffer::append(const void* from, std::size_t size, std::int64_t offset) noexcept {
  if (!bytes_) bytes_.reset(new (std::nothrow) char[capacity]);
  if (!bytes_ || size > capacity - size_) return false;
  if (size_ == 0) begin_ = offset;
  std::memcpy(bytes_.get() + size_, from, size);
  size_ += size;
  return true;
}

frame_buffer::overlap frame_buffer::read(void* into, std::size_t size, std::int64_t offset) const noexcept {
  const std::int64_t stop = offset + static_cast<std::int64_t>(size);
  if (size_ == 0 || stop <= begin_ || offset >= end()) return overlap::none;
  if (offset < begin_ || stop > end()) return overlap::part;
  std::memcpy(into, bytes_.get() + (offset - begin_), size);
  return overlap::all;
}

void frame_buffer::flushed() noexcept {
  reached_ = std::max(reached_, end());
  size_ = 0;
  awaits_page_ = false;
  commits_ = false;
}

void frame_buffer::end_transaction() noexcept {
  size_ = 0;
  reached_ = 0;
  awaits_page_ = false;
  commits_ = false;
}

}  // namespace gantry::store::sqlite
