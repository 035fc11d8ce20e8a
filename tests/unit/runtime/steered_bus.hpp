// A bus as one host of several sees it: which partitions the host has is for the test to say; all else is the bus behind it.
// So a test can give a partition to another host and leave the first one in its belief, as a network does.
// Thread: any.
#pragma once

#include <memory>
#include <mutex>

#include "bus/bus.hpp"

namespace gantry::testing {

class steered_bus final : public bus::bus {
 public:
  explicit steered_bus(gantry::bus::bus& behind) : behind_(behind) {}

  // To the host that has joined a group.
  void give(gantry::bus::partition_id where);
  void take(gantry::bus::partition_id where);

  std::string_view id() const override { return behind_.id(); }
  result<gantry::bus::topic_id> open_topic(const gantry::bus::topic_spec& spec) override {
    return behind_.open_topic(spec);
  }
  const gantry::bus::topic_spec& topic(gantry::bus::topic_id id) const override { return behind_.topic(id); }
  std::vector<gantry::bus::topic_spec> topics() const override { return behind_.topics(); }
  result<std::unique_ptr<gantry::bus::producer>> open_producer(gantry::bus::producer_events& events) override {
    return behind_.open_producer(events);
  }
  result<std::unique_ptr<gantry::bus::consumer>> open_consumer(std::string_view group,
                                                               std::span<const gantry::bus::topic_id> topics,
                                                               gantry::bus::consumer_events& events) override;
  result<void> health() const override { return behind_.health(); }

 private:
  class member;

  gantry::bus::bus& behind_;
  std::mutex mutex_;
  member* member_ = nullptr;  // guarded by mutex_: who has joined a group
};

}  // namespace gantry::testing
