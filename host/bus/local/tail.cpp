#include "bus/local/tail.hpp"

#include <algorithm>
#include <cstring>
#include <new>

namespace gantry::bus::local {
namespace {

// A write of this size is as fast as a larger one, and little memory waits for company when there is little to do.
constexpr std::size_t largest_slab = 2U << 20;
constexpr std::size_t smallest_slab = 64U << 10;

}  // namespace

slab::slab(std::size_t bytes) : size_(bytes), bytes_(static_cast<char*>(std::aligned_alloc(block_bytes, bytes))) {
  if (!bytes_) throw std::bad_alloc();
}

// Slabs that nobody holds. Memory that the kernel has given once is not given back and asked for again at each turn:
// filling fresh pages with zeros costs as much as all else.
class tail::pool : public std::enable_shared_from_this<tail::pool> {
 public:
  std::shared_ptr<slab> get(std::size_t bytes, std::size_t usual) {
    if (bytes > usual) return std::make_shared<slab>(static_cast<std::size_t>(whole_blocks(bytes)));
    std::unique_ptr<slab> found;
    {
      const std::scoped_lock lock(mutex_);
      if (!free_.empty()) {
        found = std::move(free_.back());
        free_.pop_back();
      }
    }
    if (!found) found = std::make_unique<slab>(usual);
    return {found.release(), [keep = shared_from_this()](slab* gone) { keep->put(std::unique_ptr<slab>(gone)); }};
  }
  void clear() {
    std::vector<std::unique_ptr<slab>> gone;
    const std::scoped_lock lock(mutex_);
    gone.swap(free_);
  }

 private:
  void put(std::unique_ptr<slab> free) {
    const std::scoped_lock lock(mutex_);
    free_.push_back(std::move(free));
  }

  std::mutex mutex_;
  std::vector<std::unique_ptr<slab>> free_;
};

tail::tail(std::size_t max_bytes)
    : max_bytes_(max_bytes),
      slab_bytes_(static_cast<std::size_t>(whole_blocks(std::clamp(max_bytes / 8, smallest_slab, largest_slab)))),
      pool_(std::make_shared<pool>()) {}

void tail::begin(std::shared_ptr<segment> where) {
  const std::scoped_lock lock(mutex_);
  close();
  where_ = std::move(where);
  end_ = 0;
}

void tail::seal() {
  const std::scoped_lock lock(mutex_);
  close();
  pieces_.push_back({where_, end_, 0, nullptr, nullptr, true});
}

char* tail::take(std::size_t bytes) {
  const std::scoped_lock lock(mutex_);
  if (open_) {
    const auto& last = pieces_.back();
    const auto used = static_cast<std::size_t>(last.front - last.memory->front()) + last.size;
    if (used + bytes > last.memory->size()) close();
  }
  if (!open_) open_piece(bytes);
  auto& last = pieces_.back();
  char* const taken = last.front + last.size;
  last.size += bytes;
  end_ += bytes;
  waiting_ += bytes;
  return taken;
}

// Nothing is appended to the last piece any more; its last block is filled up.
void tail::close() {
  if (!open_) return;
  open_ = false;
  auto& last = pieces_.back();
  std::memset(last.front + last.size, 0, static_cast<std::size_t>(whole_blocks(last.size) - last.size));
}

// A new piece goes on in the block in which the one before ended, so it repeats what that block holds.
void tail::open_piece(std::size_t bytes) {
  const auto repeated = static_cast<std::size_t>(end_ % block_bytes);
  const bool goes_on = !pieces_.empty() && pieces_.back().where == where_ && !pieces_.back().seals;
  const char* from = goes_on ? pieces_.back().front + pieces_.back().size - repeated : nullptr;
  piece next{where_, end_ - repeated, repeated, nullptr, nullptr, false};
  if (goes_on) {
    const auto& last = pieces_.back();
    const auto used = static_cast<std::size_t>(last.front - last.memory->front()) + whole_blocks(last.size);
    if (used + repeated + bytes <= last.memory->size()) {
      next.memory = last.memory;
      next.front = last.memory->front() + used;
    }
  }
  if (!next.memory) {
    drop_written_beyond(max_bytes_ > slab_bytes_ ? max_bytes_ - slab_bytes_ : 0);
    next.memory = pool_->get(repeated + bytes, slab_bytes_);
    next.front = next.memory->front();
    held_bytes_ += next.memory->size();
  }
  if (repeated != 0) std::memcpy(next.front, from, repeated);
  pieces_.push_back(std::move(next));
  open_ = true;
}

void tail::drop_written_beyond(std::size_t bytes) {
  while (held_bytes_ > bytes && drop_front()) {
  }
}

// The last piece stays: the next one may repeat its end.
bool tail::drop_front() {
  if (written_ == 0 || pieces_.size() < 2) return false;
  const auto& front = pieces_.front();
  const auto same = [&](const piece& other) { return other.memory == front.memory; };
  if (front.memory && std::none_of(pieces_.begin() + 1, pieces_.end(), same)) held_bytes_ -= front.memory->size();
  pieces_.pop_front();
  --written_;
  return true;
}

bool tail::has_room(std::size_t bytes) const {
  const std::scoped_lock lock(mutex_);
  return waiting_ == 0 || waiting_ + bytes <= max_bytes_ / 2;
}

bool tail::has_whole_pieces() const {
  const std::scoped_lock lock(mutex_);
  return pieces_.size() - written_ > (open_ ? 1U : 0U);
}

std::vector<piece> tail::to_write(bool all) {
  const std::scoped_lock lock(mutex_);
  if (all) close();
  const std::size_t open = open_ ? 1 : 0;
  return {pieces_.begin() + static_cast<std::ptrdiff_t>(written_), pieces_.end() - static_cast<std::ptrdiff_t>(open)};
}

void tail::written() {
  const std::scoped_lock lock(mutex_);
  ++written_;
  waiting_ = 0;
  // Repeated bytes count twice, for a moment and by less than a block.
  for (auto waits = pieces_.begin() + static_cast<std::ptrdiff_t>(written_); waits != pieces_.end(); ++waits)
    waiting_ += waits->size;
}

frames_in_memory tail::find(const segment& of, const frame_list& frames) const {
  frames_in_memory out;
  out.first = frames.size();
  const std::scoped_lock lock(mutex_);
  if (frames.empty() || pieces_.empty() || of.start() + frames.back().at < pieces_.front().position()) return out;
  auto holds = pieces_.rbegin();
  while (out.first > 0) {
    const auto& frame = frames[out.first - 1];
    const std::uint64_t position = of.start() + frame.at;
    while (holds != pieces_.rend() && (holds->seals || holds->position() > position)) ++holds;
    if (holds == pieces_.rend()) break;
    out.frames.push_back(holds->front + (position - holds->position()));
    if (out.held.empty() || out.held.back() != holds->memory) out.held.push_back(holds->memory);
    --out.first;
  }
  std::reverse(out.frames.begin(), out.frames.end());
  return out;
}

void tail::shrink() {
  {
    const std::scoped_lock lock(mutex_);
    drop_written_beyond(0);
  }
  pool_->clear();
}

}  // namespace gantry::bus::local
