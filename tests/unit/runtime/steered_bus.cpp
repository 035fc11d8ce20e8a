#include "steered_bus.hpp"

namespace gantry::testing {

// Reads as an observer does, all partitions; tells its host of those it was given.
class steered_bus::member final : public gantry::bus::consumer, public gantry::bus::consumer_events {
 public:
  member(steered_bus& on, gantry::bus::consumer_events& events) : bus_(on), host(events) {}
  ~member() override {
    const std::lock_guard lock(bus_.mutex_);
    bus_.member_ = nullptr;
  }
  result<void> open(std::span<const gantry::bus::topic_id> topics) {
    auto opened = bus_.behind_.open_consumer({}, topics, *this);
    if (!opened) return opened.failure();
    behind_ = std::move(*opened);
    return {};
  }
  result<void> fetch(gantry::bus::partition_id where, std::uint64_t from, std::size_t max_records,
                     std::size_t max_bytes, gantry::bus::fetched& out) override {
    return behind_->fetch(where, from, max_records, max_bytes, out);
  }
  void committed(gantry::bus::partition_id, std::uint64_t) override {}
  result<gantry::bus::log_range> range(gantry::bus::partition_id where) const override { return behind_->range(where); }
  std::uint64_t lag(gantry::bus::partition_id where, std::uint64_t from) const override {
    return behind_->lag(where, from);
  }
  result<std::uint64_t> offset_at(gantry::bus::partition_id where, std::int64_t time_us) const override {
    return behind_->offset_at(where, time_us);
  }
  void assigned(gantry::bus::partition_id) override {}
  void revoked(gantry::bus::partition_id) override {}
  void available(gantry::bus::partition_id where) override { host.available(where); }

 private:
  steered_bus& bus_;

 public:
  gantry::bus::consumer_events& host;

 private:
  std::unique_ptr<gantry::bus::consumer> behind_;
};

result<std::unique_ptr<gantry::bus::consumer>> steered_bus::open_consumer(
    std::string_view group, std::span<const gantry::bus::topic_id> topics, gantry::bus::consumer_events& events) {
  if (group.empty()) return behind_.open_consumer(group, topics, events);
  auto joined = std::make_unique<member>(*this, events);
  if (auto done = joined->open(topics); !done) return done.failure();
  const std::lock_guard lock(mutex_);
  member_ = joined.get();
  return std::unique_ptr<gantry::bus::consumer>(std::move(joined));
}

void steered_bus::give(gantry::bus::partition_id where) {
  const std::lock_guard lock(mutex_);
  if (member_ == nullptr) return;
  member_->host.assigned(where);
  member_->host.available(where);
}

void steered_bus::take(gantry::bus::partition_id where) {
  const std::lock_guard lock(mutex_);
  if (member_ != nullptr) member_->host.revoked(where);
}

}  // namespace gantry::testing
