// All partitions of the topology's topics, read as one log in the order of time. Keeps no position and joins no group.
// Owned by operations. Thread: one at a time.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "bus/bus.hpp"
#include "runtime/instance.hpp"

namespace gantry::admin {

class event_log final : private bus::consumer_events {
 public:
  // One partition, and the offset to read next.
  struct place {
    std::string topic;
    bus::partition_id where;
    std::uint64_t next = 0;
  };
  enum class end { all, stopped };

  // `stop` ends a scan early, when the host does.
  event_log(bus::bus& bus, std::function<const runtime::topic_directory&()> topics, const std::atomic<bool>& stop);

  // Every partition, or those of one topic. not_found: the topology has no such topic.
  result<std::vector<place>> places(std::string_view topic);

  result<bus::log_range> range(const place& where);
  // The first offset at or after this time.
  result<std::uint64_t> offset_at(const place& where, std::int64_t time_us);

  // Shows the records that are there from the places on, the oldest first; `see` answers whether to go on. The places
  // follow: each then says what to read next. Where retention has taken what a place asked for, reading goes on at the
  // start of the log.
  using reader = std::function<bool(const place&, const bus::record&)>;
  result<end> scan(std::vector<place>& places, const reader& see);

 private:
  void assigned(bus::partition_id) override {}
  void revoked(bus::partition_id) override {}
  void available(bus::partition_id) override;
  result<void> open();
  // Waits for records that are on their way. False: none came in a while.
  bool wait_for_arrival();

  bus::bus& bus_;
  const std::function<const runtime::topic_directory&()> topics_;
  const std::atomic<bool>& stop_;
  std::unique_ptr<bus::consumer> consumer_;
  std::size_t opened_ = 0;  // topics that it has
  std::mutex arrival_mutex_;
  std::condition_variable arrival_;
  bool arrived_ = false;  // since it was last waited for; guarded by arrival_mutex_
};

}  // namespace gantry::admin
