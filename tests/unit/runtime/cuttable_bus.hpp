// A bus that can be cut and healed, and that can lose acknowledgements; all else is the bus behind it.
// Thread: any.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <vector>

#include "bus/bus.hpp"

namespace gantry::testing {

class cuttable_bus final : public bus::bus {
 public:
  explicit cuttable_bus(gantry::bus::bus& behind) : behind_(behind) {}

  // Nothing can be appended, opened or fetched. Producers that are open hear of it.
  void cut();
  // What is appended arrives, and nobody is told.
  void lose_acknowledgements() { deaf_ = true; }
  // What is appended is taken, and refused a moment later.
  void refuse_later() { refuses_ = true; }
  std::uint64_t refused() const { return refused_; }
  // Consumers lose their partitions: they read nothing, and hear nothing.
  void lose_readers();
  // All works again. Producers that lost acknowledgements have failed; consumers have the partitions that they lost.
  void heal();

  std::string_view id() const override { return behind_.id(); }
  result<gantry::bus::topic_id> open_topic(const gantry::bus::topic_spec& spec) override {
    return behind_.open_topic(spec);
  }
  const gantry::bus::topic_spec& topic(gantry::bus::topic_id id) const override { return behind_.topic(id); }
  std::vector<gantry::bus::topic_spec> topics() const override { return behind_.topics(); }
  result<std::unique_ptr<gantry::bus::producer>> open_producer(gantry::bus::producer_events& events) override;
  result<std::unique_ptr<gantry::bus::consumer>> open_consumer(std::string_view group,
                                                               std::span<const gantry::bus::topic_id> topics,
                                                               gantry::bus::consumer_events& events) override;
  result<void> health() const override;

 private:
  class guarded_producer;
  class guarded_consumer;
  void fail_all();
  void tell_readers(void (gantry::bus::consumer_events::*what)(gantry::bus::partition_id));

  gantry::bus::bus& behind_;
  std::atomic<bool> cut_{false};
  std::atomic<bool> deaf_{false};
  std::atomic<bool> blind_{false};
  std::atomic<bool> refuses_{false};
  std::atomic<std::uint64_t> refused_{0};
  std::mutex mutex_;
  std::vector<guarded_producer*> producers_;  // guarded by mutex_
  std::vector<guarded_consumer*> consumers_;  // guarded by mutex_
};

}  // namespace gantry::testing
