// Numbered events over a bus: a relay that sends them again from the lowest unacknowledged one, and a reader that drops
// what it has seen and notices every gap. What a host does with its outbox and its positions.
#pragma once

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>

#include "bus/bus.hpp"

namespace gantry::bus::socket::testing {

// Looks again and again, for at most a minute.
template <typename Condition>
bool eventually(Condition holds) {
  std::mutex mutex;
  std::condition_variable never;
  std::unique_lock lock(mutex);
  const auto until = std::chrono::steady_clock::now() + std::chrono::minutes{1};
  while (!holds()) {
    if (std::chrono::steady_clock::now() > until) return false;
    never.wait_for(lock, std::chrono::milliseconds{2});
  }
  return true;
}

inline std::string numbered(std::uint64_t sequence, std::size_t size = 20) {
  record r;
  r.sequence = sequence;
  r.key = "k";
  r.type = "Counted";
  const std::string data(size, '1');
  r.data = data;
  std::string out;
  encode(r, out);
  return out;
}

class relay final : public producer_events {
 public:
  relay(bus& to, topic_id topic, std::uint32_t partitions, std::string source)
      : bus_(to), topic_(topic), partitions_(partitions), source_(std::move(source)) {}

  ~relay() override { producer_.reset(); }

  // Sends first..last; true when all are acknowledged, false when that takes minutes.
  bool send(std::uint64_t first, std::uint64_t last) {
    std::uint64_t next = first;
    acknowledged(first - 1);
    const auto until = std::chrono::steady_clock::now() + std::chrono::minutes{2};
    std::unique_lock lock(mutex_);
    while (acknowledged_ < last) {
      if (std::chrono::steady_clock::now() > until) return false;
      if (failed_) {
        lock.unlock();
        producer_.reset();
        lock.lock();
        ++failures_;
        failed_ = false;
        next = acknowledged_ + 1;
      }
      if (!producer_) {
        lock.unlock();
        auto opened = bus_.open_producer(*this);
        if (opened) producer_ = std::move(*opened);
        lock.lock();
        if (!producer_) changed_.wait_for(lock, std::chrono::milliseconds{10});
        continue;
      }
      if (next > last || next > acknowledged_ + in_flight) {
        changed_.wait_for(lock, std::chrono::milliseconds{100});
        continue;
      }
      lock.unlock();
      const auto bytes = numbered(next);
      const batch one{{topic_, static_cast<std::uint32_t>(next % partitions_)}, 1, source_, bytes};
      const auto taken = producer_->append(next, {&one, 1});
      lock.lock();
      if (taken)
        ++next;
      else
        failed_ = true;
    }
    return true;
  }
  std::uint64_t acknowledged_ticket() const {
    const std::scoped_lock lock(mutex_);
    return acknowledged_;
  }
  int failures() const {
    const std::scoped_lock lock(mutex_);
    return failures_;
  }

  void acknowledged(std::uint64_t ticket) override {
    const std::scoped_lock lock(mutex_);
    acknowledged_ = std::max(acknowledged_, ticket);
    changed_.notify_all();
    if (on_acknowledged) on_acknowledged(ticket);
  }
  void failed(std::uint64_t, const error&) override {
    const std::scoped_lock lock(mutex_);
    failed_ = true;
    changed_.notify_all();
  }

  void (*on_acknowledged)(std::uint64_t) = nullptr;

 private:
  static constexpr std::uint64_t in_flight = 2000;
  bus& bus_;
  const topic_id topic_;
  const std::uint32_t partitions_;
  const std::string source_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::uint64_t acknowledged_ = 0;
  bool failed_ = false;
  int failures_ = 0;
  std::unique_ptr<producer> producer_;
};

class reader final : public consumer_events {
 public:
  reader(bus& from, topic_id topic, std::uint32_t partitions) : bus_(from), topic_(topic), partitions_(partitions) {}

  // The consumer first: its calls need all the rest.
  ~reader() override { consumer_.reset(); }

  bool open(std::string_view group) {
    auto opened = bus_.open_consumer(group, {&topic_, 1}, *this);
    if (opened) consumer_ = std::move(*opened);
    return opened.ok();
  }

  // Reads until every number up to `last` was seen. A text: what went wrong.
  std::string read_through(std::uint64_t last) {
    fetched got;
    const auto until = std::chrono::steady_clock::now() + std::chrono::minutes{2};
    while (seen_ < last) {
      if (std::chrono::steady_clock::now() > until) return "only " + std::to_string(seen_) + " came";
      bool some = false;
      for (std::uint32_t p = 0; p < partitions_; ++p) {
        if (auto done = consumer_->fetch({topic_, p}, next_[p], 256, 1 << 20, got); !done) return done.failure().text;
        for (const auto& r : got.records)
          if (const auto wrong = take(p, r.sequence); !wrong.empty()) return wrong;
        some = some || !got.records.empty();
        next_[p] = got.next;
        if (!got.records.empty()) consumer_->committed({topic_, p}, got.next);
      }
      if (some) continue;
      std::unique_lock lock(mutex_);
      changed_.wait_for(lock, std::chrono::milliseconds{200}, [&] { return news_; });
      news_ = false;
    }
    return {};
  }
  std::uint64_t repeated() const { return repeated_; }
  consumer& on_bus() { return *consumer_; }
  std::size_t owned() const {
    const std::scoped_lock lock(mutex_);
    return owned_.size();
  }
  std::size_t revocations() const {
    const std::scoped_lock lock(mutex_);
    return revocations_;
  }

  void assigned(partition_id where) override {
    const std::scoped_lock lock(mutex_);
    owned_.insert(where);
    wake();
  }
  void revoked(partition_id where) override {
    const std::scoped_lock lock(mutex_);
    owned_.erase(where);
    ++revocations_;
    wake();
  }
  void available(partition_id) override {
    const std::scoped_lock lock(mutex_);
    wake();
  }

 private:
  std::string take(std::uint32_t partition, std::uint64_t sequence) {
    auto& last = last_[partition];
    const auto expected = last == 0 ? (partition == 0 ? partitions_ : partition) : last + partitions_;
    if (sequence < expected) {
      ++repeated_;
      return {};
    }
    if (sequence != expected)
      return "number " + std::to_string(sequence) + " came where " + std::to_string(expected) + " was expected";
    last = sequence;
    ++seen_;
    return {};
  }
  void wake() {
    news_ = true;
    changed_.notify_all();
  }

  bus& bus_;
  const topic_id topic_;
  const std::uint32_t partitions_;
  std::unique_ptr<consumer> consumer_;
  std::map<std::uint32_t, std::uint64_t> next_;
  std::map<std::uint32_t, std::uint64_t> last_;
  std::uint64_t seen_ = 0;
  std::uint64_t repeated_ = 0;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  bool news_ = false;
  std::set<partition_id> owned_;
  std::size_t revocations_ = 0;
};

}  // namespace gantry::bus::socket::testing
