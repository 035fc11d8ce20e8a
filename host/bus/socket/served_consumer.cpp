#include "bus/socket/served_consumer.hpp"

#include <algorithm>

#include "bus/socket/wire.hpp"

namespace gantry::bus::socket {
namespace {

constexpr std::size_t most_records = 1U << 16;
constexpr std::size_t most_bytes = 1U << 20;

}  // namespace

result<void> served_consumer::open(bus& on, std::string_view group, std::span<const topic_id> topics) {
  auto opened = on.open_consumer(group, topics, *this);
  if (!opened) return std::move(opened).failure();
  consumer_ = std::move(*opened);
  return {};
}

void served_consumer::wants(partition_id where, const wish& what) {
  const auto found = flows_.find(where);
  if (found == flows_.end() || !found->second.ours) return;
  auto& f = found->second;
  if (!f.flows || f.asked.generation != what.generation) {
    f.next = what.from;
    f.window = static_cast<std::int64_t>(window_);
    f.flows = true;
  }
  f.asked = what;
  f.asked.max_records = std::clamp<std::size_t>(what.max_records, 1, most_records);
  f.asked.max_bytes = std::clamp<std::size_t>(what.max_bytes, 1, std::min<std::size_t>(most_bytes, window_));
}

void served_consumer::taken(partition_id where, std::uint32_t generation, std::uint64_t bytes) {
  const auto found = flows_.find(where);
  if (found == flows_.end() || found->second.asked.generation != generation) return;
  auto& window = found->second.window;
  window = std::min(window + static_cast<std::int64_t>(std::min<std::uint64_t>(bytes, frame_max)),
                    static_cast<std::int64_t>(window_));
}

void served_consumer::changed(partition_id where, bool assigned) {
  auto& f = flows_[where];
  f.ours = assigned;
  f.flows = false;
}

bool served_consumer::flows(partition_id where) const {
  const auto found = flows_.find(where);
  return found != flows_.end() && found->second.flows;
}

result<void> served_consumer::send_records(partition_id where, std::string& out) {
  const auto found = flows_.find(where);
  if (found == flows_.end() || !found->second.flows) return {};
  auto& f = found->second;
  f.more = true;
  if (f.window <= 0) return {};
  if (auto got = consumer_->fetch(where, f.next, f.asked.max_records, f.asked.max_bytes, fetched_); !got) {
    f.flows = false;
    return std::move(got).failure();
  }
  f.more = fetched_.more;
  if (fetched_.records.empty() && fetched_.next == f.next) return {};
  const std::size_t before = out.size();
  frame_writer(out, message::records)
      .u32(id_)
      .partition(where)
      .u32(f.asked.generation)
      .u64(fetched_.next)
      .u8(fetched_.more ? 1 : 0)
      .u32(static_cast<std::uint32_t>(fetched_.records.size()))
      .runs(fetched_.records);
  if (out.size() - before > frame_max) {
    out.resize(before);
    f.flows = false;
    return error{errc::too_large,
                 "a record of more than " + std::to_string(frame_max) + " bytes can't be given to another process"};
  }
  f.next = fetched_.next;
  f.window -= static_cast<std::int64_t>(out.size() - before);
  return {};
}

bool served_consumer::may_go_on(partition_id where) const {
  const auto found = flows_.find(where);
  return found != flows_.end() && found->second.flows && found->second.more && found->second.window > 0;
}

}  // namespace gantry::bus::socket
