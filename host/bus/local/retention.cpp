// Removes segments from the old end of the journal when nobody needs them.
#include <algorithm>

#include "bus/local/journal.hpp"

namespace gantry::bus::local {

void journal::retain() {
  const std::scoped_lock turn(tidying_mutex_);
  std::vector<std::uint64_t> topic_bytes;
  for_each_partition([&](auto& partition) {
    topic_bytes.resize(std::max<std::size_t>(topic_bytes.size(), partition.where().topic + 1U));
    topic_bytes[partition.where().topic] += partition.bytes();
  });
  std::vector<sealed_segment> dropped;
  while (drop_oldest_segment(topic_bytes, dropped)) {
  }
  if (dropped.empty()) return;
  {
    // The new starts must be durable before the files are gone; else a restart would skip records in silence.
    const std::scoped_lock lock(mutex_);
    if (failed_) return;
    append_state(false);
  }
  if (!sync()) {
    const std::scoped_lock lock(mutex_);
    sealed_.insert(sealed_.begin(), dropped.begin(), dropped.end());
    return;
  }
  for (const auto& part : dropped) {
    // What can't be removed now is below every start, and goes after the next start.
    static_cast<void>(files_.unlink(part.where->index_path()));
    static_cast<void>(files_.unlink(part.where->path()));
  }
}

bool journal::drop_oldest_segment(std::vector<std::uint64_t>& topic_bytes, std::vector<sealed_segment>& dropped) {
  sealed_segment oldest;
  {
    const std::scoped_lock lock(mutex_);
    if (sealed_.empty() || !sealed_.front().synced) return false;
    oldest = sealed_.front();
  }
  const std::int64_t now_us = options_.time->wall_us();
  std::vector<partition_index*> held;
  bool goes = true;
  for_each_partition([&](auto& partition) {
    const auto part = partition.oldest();
    if (!part || part->where != oldest.where) return;
    held.push_back(&partition);
    const auto& spec = *topics_[partition.where().topic].specs.back();
    goes = goes && disposable(*part, spec, topic_bytes[partition.where().topic], now_us);
  });
  if (!goes) return false;
  for (auto* partition : held) {
    topic_bytes[partition->where().topic] -= partition->oldest()->summary.bytes;
    partition->drop_oldest();
  }
  const std::scoped_lock lock(mutex_);
  sealed_.pop_front();
  dropped.push_back(oldest);
  return true;
}

bool journal::disposable(const slice& part, const topic_spec& spec, std::uint64_t bytes_of_topic,
                         std::int64_t now_us) const {
  // A bound in bytes is the operator's word that newer records matter more than unread ones.
  if (spec.retention_bytes != 0 && bytes_of_topic - part.summary.bytes >= spec.retention_bytes) return true;
  const auto age = std::chrono::microseconds(now_us - part.summary.appended_us);
  if (age < spec.retention) return false;
  const std::scoped_lock lock(groups_mutex_);
  return std::all_of(groups_.begin(), groups_.end(), [&](const auto& group) {
    const auto position = group.second.find(part.summary.where);
    return position == group.second.end() || position->second >= part.summary.end;
  });
}

}  // namespace gantry::bus::local
