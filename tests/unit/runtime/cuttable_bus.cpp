#include "cuttable_bus.hpp"

namespace gantry::testing {
namespace {
const error unreachable{errc::unavailable, "the bus can't be reached"};
}

class cuttable_bus::guarded_producer final : public gantry::bus::producer, public gantry::bus::producer_events {
 public:
  guarded_producer(cuttable_bus& on, gantry::bus::producer_events& events) : bus_(on), events_(events) {
    const std::lock_guard lock(bus_.mutex_);
    bus_.producers_.push_back(this);
  }
  ~guarded_producer() override {
    behind_.reset();
    const std::lock_guard lock(bus_.mutex_);
    std::erase(bus_.producers_, this);
  }
  result<void> open() {
    auto opened = bus_.behind_.open_producer(*this);
    if (!opened) return opened.failure();
    behind_ = std::move(*opened);
    return {};
  }
  result<void> append(std::uint64_t ticket, std::span<const gantry::bus::batch> batches) override {
    if (bus_.cut_ || dead_) return unreachable;
    if (bus_.refuses_) {
      ++bus_.refused_;
      dead_ = true;
      events_.failed(ticket, {errc::invalid, "not allowed to write to this topic"});
      return {};
    }
    return behind_->append(ticket, batches);
  }
  void acknowledged(std::uint64_t ticket) override {
    if (!bus_.cut_ && !bus_.deaf_ && !dead_) events_.acknowledged(ticket);
  }
  void failed(std::uint64_t ticket, const error& why) override { events_.failed(ticket, why); }
  void die() {
    if (!dead_.exchange(true)) events_.failed(0, unreachable);
  }

 private:
  cuttable_bus& bus_;
  gantry::bus::producer_events& events_;
  std::unique_ptr<gantry::bus::producer> behind_;
  std::atomic<bool> dead_{false};
};

class cuttable_bus::guarded_consumer final : public gantry::bus::consumer, public gantry::bus::consumer_events {
 public:
  guarded_consumer(cuttable_bus& on, gantry::bus::consumer_events& events) : host(events), bus_(on) {
    const std::lock_guard lock(bus_.mutex_);
    bus_.consumers_.push_back(this);
  }
  ~guarded_consumer() override {
    behind_.reset();
    const std::lock_guard lock(bus_.mutex_);
    std::erase(bus_.consumers_, this);
  }
  result<void> open(std::string_view group, std::span<const gantry::bus::topic_id> topics) {
    auto opened = bus_.behind_.open_consumer(group, topics, *this);
    if (!opened) return opened.failure();
    behind_ = std::move(*opened);
    return {};
  }
  void assigned(gantry::bus::partition_id where) override {
    {
      const std::lock_guard lock(bus_.mutex_);
      partitions.push_back(where);
    }
    if (!bus_.blind_) host.assigned(where);
  }
  void revoked(gantry::bus::partition_id where) override {
    {
      const std::lock_guard lock(bus_.mutex_);
      std::erase(partitions, where);
    }
    if (!bus_.blind_) host.revoked(where);
  }
  void available(gantry::bus::partition_id where) override {
    if (!bus_.blind_) host.available(where);
  }
  result<void> fetch(gantry::bus::partition_id where, std::uint64_t from, std::size_t max_records,
                     std::size_t max_bytes, gantry::bus::fetched& out) override {
    if (bus_.cut_) return unreachable;
    if (bus_.blind_) {
      out.records.clear();
      out.next = from;
      out.more = false;
      return {};
    }
    return behind_->fetch(where, from, max_records, max_bytes, out);
  }
  void committed(gantry::bus::partition_id where, std::uint64_t next) override { behind_->committed(where, next); }
  result<gantry::bus::log_range> range(gantry::bus::partition_id where) const override { return behind_->range(where); }
  std::uint64_t lag(gantry::bus::partition_id where, std::uint64_t from) const override {
    return behind_->lag(where, from);
  }
  result<std::uint64_t> offset_at(gantry::bus::partition_id where, std::int64_t time_us) const override {
    return behind_->offset_at(where, time_us);
  }

  gantry::bus::consumer_events& host;
  std::vector<gantry::bus::partition_id> partitions;  // guarded by the bus' mutex

 private:
  cuttable_bus& bus_;
  std::unique_ptr<gantry::bus::consumer> behind_;
};

void cuttable_bus::fail_all() {
  const std::lock_guard lock(mutex_);
  for (auto* p : producers_) p->die();
}

void cuttable_bus::tell_readers(void (gantry::bus::consumer_events::*what)(gantry::bus::partition_id)) {
  const std::lock_guard lock(mutex_);
  for (auto* c : consumers_)
    for (const auto where : c->partitions) (c->host.*what)(where);
}

void cuttable_bus::lose_readers() {
  blind_ = true;
  tell_readers(&gantry::bus::consumer_events::revoked);
}

void cuttable_bus::cut() {
  cut_ = true;
  fail_all();
}

void cuttable_bus::heal() {
  if (deaf_) fail_all();
  deaf_ = false;
  refuses_ = false;
  cut_ = false;
  if (blind_.exchange(false)) tell_readers(&gantry::bus::consumer_events::assigned);
}

result<std::unique_ptr<gantry::bus::producer>> cuttable_bus::open_producer(gantry::bus::producer_events& events) {
  if (cut_) return unreachable;
  auto made = std::make_unique<guarded_producer>(*this, events);
  if (auto done = made->open(); !done) return done.failure();
  return std::unique_ptr<gantry::bus::producer>(std::move(made));
}

result<std::unique_ptr<gantry::bus::consumer>> cuttable_bus::open_consumer(
    std::string_view group, std::span<const gantry::bus::topic_id> topics, gantry::bus::consumer_events& events) {
  auto made = std::make_unique<guarded_consumer>(*this, events);
  if (auto done = made->open(group, topics); !done) return done.failure();
  return std::unique_ptr<gantry::bus::consumer>(std::move(made));
}

result<void> cuttable_bus::health() const {
  if (cut_) return unreachable;
  return behind_.health();
}

}  // namespace gantry::testing
