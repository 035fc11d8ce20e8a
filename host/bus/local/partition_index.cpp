#include "bus/local/partition_index.hpp"

#include <algorithm>

namespace gantry::bus::local {
namespace {

constexpr std::size_t max_frames_of_a_fetch = 512;

frame_list::const_iterator containing(const frame_list& frames, std::uint64_t offset) {
  return std::partition_point(frames.begin(), frames.end(), [&](const auto& f) { return f.end() <= offset; });
}

void select(const frame_list& frames, std::uint64_t from, std::size_t max_records, std::size_t max_bytes,
            frame_list& out) {
  std::size_t records = 0;
  std::size_t bytes = 0;
  for (auto frame = containing(frames, from); frame != frames.end(); ++frame) {
    if (!out.empty() && (records >= max_records || bytes + frame->length > max_bytes)) return;
    if (out.size() == max_frames_of_a_fetch) return;
    records += frame->end() - std::max(frame->base, from);
    bytes += frame->length;
    out.push_back(*frame);
  }
}

std::uint64_t ordinal_at(const frame_list& frames, std::uint64_t offset, std::uint64_t end_ordinal) {
  const auto frame = containing(frames, offset);
  if (frame == frames.end()) return end_ordinal;
  return frame->ordinal + (offset > frame->base ? offset - frame->base : 0);
}

}  // namespace

std::shared_ptr<const listener_list> partition_index::append(const std::shared_ptr<segment>& to,
                                                             const frame_entry& frame, std::int64_t appended_us) {
  const std::scoped_lock lock(mutex_);
  if (slices_.empty() || slices_.back().where != to) {
    slices_.push_back({to, {}, std::make_shared<frame_list>()});
    slices_.back().summary.where = where_;
  }
  auto& last = slices_.back();
  last.frames->push_back(frame);
  last.summary.add(frame, appended_us);
  state_.end = frame.end();
  state_.ordinal = last.summary.end_ordinal;
  return listeners_;
}

void partition_index::restore(slice older) { slices_.push_back(std::move(older)); }

partition_state partition_index::state() const {
  const std::scoped_lock lock(mutex_);
  return state_;
}

void partition_index::subscribe(std::shared_ptr<listener> who) {
  const std::scoped_lock lock(mutex_);
  auto changed = listeners_ ? std::make_shared<listener_list>(*listeners_) : std::make_shared<listener_list>();
  changed->push_back(std::move(who));
  listeners_ = std::move(changed);
}

void partition_index::unsubscribe(const std::shared_ptr<listener>& who) {
  const std::scoped_lock lock(mutex_);
  auto changed = std::make_shared<listener_list>(*listeners_);
  std::erase(*changed, who);
  listeners_ = changed->empty() ? nullptr : std::move(changed);
}

const slice* partition_index::find(std::uint64_t from) const {
  if (!slices_.empty()) {
    // Mostly somebody reads the end of the log.
    const auto& last = slices_.back();
    if (last.summary.first <= from) return last.summary.end > from ? &last : nullptr;
  }
  const auto found =
      std::partition_point(slices_.begin(), slices_.end(), [&](const auto& s) { return s.summary.end <= from; });
  return found == slices_.end() ? nullptr : &*found;
}

result<std::shared_ptr<const frame_list>> partition_index::frames_of(const slice& part) const {
  return cache_.load(*part.where, part.summary);
}

error partition_index::below_start(std::uint64_t from) const {
  return {errc::out_of_range, "position " + std::to_string(from) + " is below the start of " + name_ + ", which is " +
                                  std::to_string(state_.start) + ": the records between were removed by retention"};
}

result<frame_plan> partition_index::plan(std::uint64_t from, std::size_t max_records, std::size_t max_bytes) const {
  frame_plan out;
  slice sealed;
  {
    const std::scoped_lock lock(mutex_);
    if (from < state_.start) return below_start(from);
    const slice* part = find(from);
    if (part == nullptr) return out;
    out.where = part->where;
    if (part->frames) {
      select(*part->frames, from, max_records, max_bytes, out.frames);
      return out;
    }
    sealed = *part;
  }
  auto frames = frames_of(sealed);
  if (frames) {
    select(**frames, from, max_records, max_bytes, out.frames);
    return out;
  }
  // Retention may have taken the files since.
  const std::scoped_lock lock(mutex_);
  if (from < state_.start) return below_start(from);
  return std::move(frames).failure();
}

result<std::uint64_t> partition_index::lag(std::uint64_t from) const {
  slice sealed;
  std::uint64_t end_ordinal = 0;
  {
    const std::scoped_lock lock(mutex_);
    end_ordinal = state_.ordinal;
    const slice* part = find(std::max(from, state_.start));
    if (part == nullptr) return std::uint64_t{0};
    if (from <= part->summary.first) return end_ordinal - part->summary.first_ordinal;
    if (part->frames) return end_ordinal - ordinal_at(*part->frames, from, part->summary.end_ordinal);
    sealed = *part;
  }
  auto frames = frames_of(sealed);
  if (!frames) return std::move(frames).failure();
  return end_ordinal - ordinal_at(**frames, from, sealed.summary.end_ordinal);
}

result<frame_plan> partition_index::first_since(std::int64_t time_us) const {
  const auto late_enough = [&](const auto& f) { return f.newest_us >= time_us; };
  frame_plan out;
  slice sealed;
  {
    const std::scoped_lock lock(mutex_);
    const auto part =
        std::find_if(slices_.begin(), slices_.end(), [&](const auto& s) { return s.summary.newest_us >= time_us; });
    if (part == slices_.end()) return out;
    out.where = part->where;
    if (part->frames) {
      out.frames.push_back(*std::find_if(part->frames->begin(), part->frames->end(), late_enough));
      return out;
    }
    sealed = *part;
  }
  auto frames = frames_of(sealed);
  if (!frames) return std::move(frames).failure();
  const auto frame = std::find_if((*frames)->begin(), (*frames)->end(), late_enough);
  if (frame != (*frames)->end()) out.frames.push_back(*frame);
  return out;
}

std::optional<slice> partition_index::part_in(const segment& of) const {
  const std::scoped_lock lock(mutex_);
  for (auto part = slices_.rbegin(); part != slices_.rend() && part->where->start() >= of.start(); ++part)
    if (part->where.get() == &of) return *part;
  return std::nullopt;
}

void partition_index::indexed(const segment& of, const section& summary) {
  const std::scoped_lock lock(mutex_);
  for (auto& part : slices_) {
    if (part.where.get() != &of) continue;
    part.summary = summary;
    part.frames = nullptr;
  }
}

std::optional<slice> partition_index::oldest() const {
  const std::scoped_lock lock(mutex_);
  if (slices_.empty()) return std::nullopt;
  return slices_.front();
}

std::uint64_t partition_index::bytes() const {
  const std::scoped_lock lock(mutex_);
  std::uint64_t sum = 0;
  for (const auto& part : slices_) sum += part.summary.bytes;
  return sum;
}

void partition_index::drop_oldest() {
  const std::scoped_lock lock(mutex_);
  state_.start = std::max(state_.start, slices_.front().summary.end);
  slices_.pop_front();
}

}  // namespace gantry::bus::local
