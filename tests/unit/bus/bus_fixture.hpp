// A local bus on files in memory, whose syncs happen when a test says so, and what tests do with it: as it is, or
// through a front that shares it with other processes.
#pragma once

#include <gtest/gtest.h>

#include <condition_variable>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "bus/local/journal_bus.hpp"
#include "memory_files.hpp"

namespace gantry::bus::local::testing {

class manual_clock final : public clock {
 public:
  std::int64_t wall_us() const noexcept override { return now_us; }
  std::int64_t steady_us() const noexcept override { return now_us; }
  std::atomic<std::int64_t> now_us{1'000'000};
};

class heard_producer final : public producer_events {
 public:
  void acknowledged(std::uint64_t ticket) override {
    const std::scoped_lock lock(mutex_);
    acknowledged_ = ticket;
    changed_.notify_all();
  }
  void failed(std::uint64_t ticket, const error& why) override {
    const std::scoped_lock lock(mutex_);
    failed_ = {ticket, why.text};
    why_ = why;
    changed_.notify_all();
  }
  error why() const {
    const std::scoped_lock lock(mutex_);
    return why_;
  }
  void wait_for_failure() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return failed_.first != 0; });
  }
  std::uint64_t acknowledged_ticket() const {
    const std::scoped_lock lock(mutex_);
    return acknowledged_;
  }
  std::pair<std::uint64_t, std::string> failure() const {
    const std::scoped_lock lock(mutex_);
    return failed_;
  }
  void wait_for(std::uint64_t ticket) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return acknowledged_ >= ticket; });
  }

 private:
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::uint64_t acknowledged_ = 0;
  std::pair<std::uint64_t, std::string> failed_{0, ""};
  error why_;
};

class heard_consumer final : public consumer_events {
 public:
  void assigned(partition_id where) override {
    const std::scoped_lock lock(mutex_);
    assigned_.push_back(where);
    owned_.insert(where);
    changed_.notify_all();
  }
  void revoked(partition_id where) override {
    const std::scoped_lock lock(mutex_);
    owned_.erase(where);
    changed_.notify_all();
  }
  void available(partition_id where) override {
    const std::scoped_lock lock(mutex_);
    available_.push_back(where);
    changed_.notify_all();
  }
  std::vector<partition_id> assigned_partitions() const {
    const std::scoped_lock lock(mutex_);
    return assigned_;
  }
  std::vector<partition_id> available_partitions() const {
    const std::scoped_lock lock(mutex_);
    return available_;
  }
  std::set<partition_id> owned() const {
    const std::scoped_lock lock(mutex_);
    return owned_;
  }
  void wait_until_owning(std::size_t partitions) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return owned_.size() == partitions; });
  }
  // Until available() was called so often in all.
  void wait_for_available(std::size_t calls) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return available_.size() >= calls; });
  }

 private:
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<partition_id> assigned_;
  std::vector<partition_id> available_;
  std::set<partition_id> owned_;
};

// The bus as another process has it. Owns nothing of the journal.
class bus_front {
 public:
  virtual ~bus_front() = default;
  virtual gantry::bus::bus& events() = 0;
};
using front_maker = std::unique_ptr<bus_front> (*)(gantry::bus::bus& journal);

struct read_back {
  std::uint64_t offset = 0;
  std::string body;
  friend bool operator==(const read_back&, const read_back&) = default;
};

inline std::string encoded(const std::vector<std::string>& bodies, std::int64_t time_us = 1) {
  std::string out;
  for (const auto& body : bodies) {
    record r;
    r.time_us = time_us;
    r.key = "k";
    r.type = "Happened";
    r.data = body;
    encode(r, out);
  }
  return out;
}

class bus_fixture {
 public:
  explicit bus_fixture(std::uint64_t segment_bytes = 256U << 20) { options.segment_bytes = segment_bytes; }

  result<void> try_open() {
    auto opened = journal_bus::open(options);
    if (!opened) return std::move(opened).failure();
    bus = std::move(*opened);
    if (make_front != nullptr) front = make_front(*bus);
    return {};
  }
  gantry::bus::bus& events() { return front ? front->events() : *bus; }
  // What was done through a front has reached the journal, and what the journal said has come back.
  void settle() {
    if (front) static_cast<void>(front->events().topics());
  }
  void open() {
    const auto opened = try_open();
    ASSERT_TRUE(opened) << opened.failure().text;
  }
  topic_id open_topic(topic_spec spec) {
    const auto id = events().open_topic(spec);
    EXPECT_TRUE(id) << (id ? "" : id.failure().text);
    return id ? *id : 0;
  }
  void open_with_topic(std::uint32_t partitions = 1) {
    open();
    topic = open_topic({.name = "orders", .partitions = partitions});
    produce();
  }
  void produce() {
    auto opened = events().open_producer(acks);
    ASSERT_TRUE(opened) << opened.failure().text;
    producer = std::move(*opened);
  }
  void close() {
    consumer.reset();
    producer.reset();
    front.reset();
    bus.reset();
  }
  void power_cut(std::size_t kept = 0) {
    settle();
    files.cut_power(kept);
    close();
  }
  void reopen(std::uint32_t partitions = 1) {
    settle();
    close();
    open_with_topic(partitions);
  }

  result<void> append(const std::vector<std::string>& bodies, std::uint32_t partition = 0, std::int64_t time_us = 1) {
    const std::string records = encoded(bodies, time_us);
    const batch one{{topic, partition}, static_cast<std::uint32_t>(bodies.size()), "/shop/order/1.1", records};
    return producer->append(++ticket, {&one, 1});
  }
  // Appends, and waits for a refusal that comes by the events.
  result<void> taken(const std::vector<std::string>& bodies) {
    if (auto done = append(bodies); !done) return done;
    settle();
    return acks.failure().first == ticket ? result<void>(acks.why()) : result<void>();
  }
  result<void> try_sync() {
    settle();
    auto synced = bus->sync();
    settle();
    return synced;
  }
  void sync() {
    const auto synced = try_sync();
    ASSERT_TRUE(synced) << synced.failure().text;
  }

  class consumer& reader(std::string_view group = "") {
    if (!consumer || group != reading_as_) {
      consumer.reset();
      auto opened = events().open_consumer(group, {&topic, 1}, heard);
      EXPECT_TRUE(opened) << (opened ? "" : opened.failure().text);
      consumer = std::move(*opened);
      reading_as_ = group;
    }
    return *consumer;
  }
  std::vector<read_back> read(std::uint64_t from = 0, std::uint32_t partition = 0) {
    std::vector<read_back> out;
    fetched got;
    do {
      const auto read = reader(reading_as_).fetch({topic, partition}, from, 100, 1 << 20, got);
      EXPECT_TRUE(read) << (read ? "" : read.failure().text);
      if (!read) return out;
      for (const auto& r : got.records) out.push_back({r.offset, std::string(r.data)});
      from = got.next;
    } while (got.more);
    return out;
  }
  std::vector<std::string> bodies(std::uint64_t from = 0, std::uint32_t partition = 0) {
    std::vector<std::string> out;
    for (const auto& r : read(from, partition)) out.push_back(r.body);
    return out;
  }

  memory_files files;
  manual_clock time;
  heard_producer acks;
  heard_consumer heard;
  // The journal's thread syncs at its own time too; an hour is longer than any test.
  local_bus_options options{.directory = "journal",
                            .sync_interval = std::chrono::hours{1},
                            .time = &time,
                            .files = &files,
                            .retention_check = std::chrono::hours{1}};
  front_maker make_front = nullptr;
  std::unique_ptr<journal_bus> bus;
  std::unique_ptr<bus_front> front;
  std::unique_ptr<class producer> producer;
  std::unique_ptr<class consumer> consumer;
  topic_id topic = 0;
  std::uint64_t ticket = 0;

 private:
  std::string reading_as_;
};

}  // namespace gantry::bus::local::testing
