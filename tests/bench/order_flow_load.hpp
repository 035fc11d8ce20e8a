// The customers of order_flow: who places orders, and who sees them confirmed.
#pragma once

#include <fcntl.h>
#include <netdb.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <unordered_map>
#include <utility>
#include <vector>

#include "bus/bus.hpp"
#include "runtime/dispatcher.hpp"

namespace gantry::bench {

using steady = std::chrono::steady_clock;

inline std::string body_of(std::uint64_t n) {
  char sku[16];
  std::snprintf(sku, sizeof sku, "SKU-%04u", static_cast<unsigned>(n * 7919 % 1000 + 1));
  return R"({"customerId":"customer-)" + std::to_string(n % 5000) + R"(","lines":[{"sku":")" + sku +
         R"(","quantity":1}],"shippingAddress":{"name":"Ada Lovelace","line1":"1 Main Street","city":"Berlin","postalCode":"10115","country":"DE"},)"
         R"("paymentMethod":{"token":"tok_approve"},"currency":"EUR"})";
}

// Which orders are on their way, and how long each took.
class ledger {
 public:
  // Waits for room in the window.
  void wait_for_room(std::size_t window) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return open_ < window; });
    ++open_;
  }
  void posted() {
    const std::lock_guard lock(mutex_);
    ++open_;
  }
  void accepted(std::string_view order, steady::time_point sent) {
    const std::lock_guard lock(mutex_);
    const auto early = early_.find(std::string(order));
    if (early != early_.end()) {
      finish(sent, early->second);
      early_.erase(early);
      return;
    }
    waiting_.emplace(order, sent);
  }
  void refused() {
    const std::lock_guard lock(mutex_);
    ++refused_;
    --open_;
    changed_.notify_all();
  }
  void confirmed(std::string_view order, steady::time_point at) {
    const std::lock_guard lock(mutex_);
    const auto found = waiting_.find(std::string(order));
    if (found == waiting_.end()) {
      early_.emplace(order, at);
      return;
    }
    finish(found->second, at);
    waiting_.erase(found);
  }
  std::uint64_t done() const { return done_; }
  std::uint64_t refusals() const { return refused_; }
  std::size_t open() {
    const std::lock_guard lock(mutex_);
    return open_;
  }
  std::vector<double> take_latencies() {
    const std::lock_guard lock(mutex_);
    return std::move(latencies_ms_);
  }
  void forget() {
    const std::lock_guard lock(mutex_);
    latencies_ms_.clear();
  }

 private:
  void finish(steady::time_point sent, steady::time_point at) {
    latencies_ms_.push_back(std::chrono::duration<double, std::milli>(at - sent).count());
    ++done_;
    --open_;
    changed_.notify_one();
  }
  std::mutex mutex_;
  std::condition_variable changed_;
  std::unordered_map<std::string, steady::time_point> waiting_;
  std::unordered_map<std::string, steady::time_point> early_;
  std::vector<double> latencies_ms_;
  std::size_t open_ = 0;
  std::atomic<std::uint64_t> done_{0};
  std::atomic<std::uint64_t> refused_{0};
};

// Reads order-events from now on.
class watcher final : public bus::consumer_events {
 public:
  watcher(bus::bus& events, bus::topic_id topic, ledger& orders) : ledger_(orders) {
    const bus::topic_id topics[] = {topic};
    consumer_ = std::move(*events.open_consumer({}, topics, *this));
    for (std::uint32_t p = 0; p < events.topic(topic).partitions; ++p)
      next_.push_back(consumer_->range({topic, p})->end);
    topic_ = topic;
    thread_ = std::thread([this] { run(); });
    pthread_setname_np(thread_.native_handle(), "bench-watch");
  }
  ~watcher() override {
    {
      const std::lock_guard lock(mutex_);
      ending_ = true;
    }
    wake_.notify_all();
    thread_.join();
  }
  void assigned(bus::partition_id) override {}
  void revoked(bus::partition_id) override {}
  void available(bus::partition_id) override {
    {
      const std::lock_guard lock(mutex_);
      fresh_ = true;
    }
    wake_.notify_one();
  }

 private:
  void run() {
    bus::fetched got;
    for (;;) {
      {
        std::unique_lock lock(mutex_);
        wake_.wait(lock, [this] { return fresh_ || ending_; });
        if (ending_) return;
        fresh_ = false;
      }
      for (std::uint32_t p = 0; p < next_.size(); ++p) {
        do {
          got.records.clear();
          got.more = false;
          if (!consumer_->fetch({topic_, p}, next_[p], 1024, 1 << 20, got)) break;
          const auto now = steady::now();
          for (const auto& r : got.records)
            if (r.type == "OrderConfirmed") ledger_.confirmed(r.key, now);
          next_[p] = std::max(next_[p], got.next);
        } while (got.more);
      }
    }
  }
  ledger& ledger_;
  std::unique_ptr<bus::consumer> consumer_;
  bus::topic_id topic_ = 0;
  std::vector<std::uint64_t> next_;
  std::thread thread_;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool fresh_ = true;
  bool ending_ = false;
};

class counting_sink final : public runtime::reply_sink {
 public:
  counting_sink(ledger& orders, steady::time_point sent) : ledger_(orders), sent_(sent) {}
  void send(runtime::reply&& r) override {
    if (r.status != 201) {
      if (ledger_.refusals() == 0) std::fprintf(stderr, "first refusal: %d %s\n", r.status, r.body.c_str());
      ledger_.refused();
      return;
    }
    for (const auto& [name, text] : r.headers)
      if (name == "location") ledger_.accepted(std::string_view(text).substr(8), sent_);
  }

 private:
  ledger& ledger_;
  steady::time_point sent_;
};

class in_process_load {
 public:
  in_process_load(runtime::dispatcher& to, ledger& orders) : to_(to), ledger_(orders) {}
  void send(std::uint64_t n) {
    runtime::inbound in;
    in.method = "POST";
    in.path = "/orders";
    in.headers = {{"content-type", "application/json"}, {"idempotency-key", "bench-" + run_ + std::to_string(n)}};
    in.body = body_of(n);
    to_.submit(std::move(in), std::make_unique<counting_sink>(ledger_, steady::now()));
  }

 private:
  runtime::dispatcher& to_;
  ledger& ledger_;
  const std::string run_ = std::to_string(steady::now().time_since_epoch().count()) + "-";
};

// Keep-alive connections on one thread; a request waits for a free connection.
class http_load {
 public:
  http_load(const std::string& address, ledger& orders, std::size_t connections) : ledger_(orders) {
    const auto colon = address.rfind(':');
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    addrinfo* found = nullptr;
    if (getaddrinfo(address.substr(0, colon).c_str(), address.substr(colon + 1).c_str(), &hints, &found) != 0)
      std::abort();
    poll_ = epoll_create1(0);
    for (std::size_t i = 0; i < connections; ++i) {
      auto c = std::make_unique<connection>();
      c->fd = socket(found->ai_family, SOCK_STREAM, 0);
      if (connect(c->fd, found->ai_addr, found->ai_addrlen) != 0) std::abort();
      fcntl(c->fd, F_SETFL, O_NONBLOCK);
      epoll_event e{};
      e.events = EPOLLIN;
      e.data.ptr = c.get();
      epoll_ctl(poll_, EPOLL_CTL_ADD, c->fd, &e);
      free_.push_back(c.get());
      all_.push_back(std::move(c));
    }
    freeaddrinfo(found);
    reader_ = std::thread([this] { read(); });
    pthread_setname_np(reader_.native_handle(), "bench-http");
  }
  ~http_load() {
    ending_ = true;
    reader_.join();
    for (auto& c : all_) close(c->fd);
    close(poll_);
  }
  void send(std::uint64_t n) {
    connection* c = nullptr;
    {
      std::unique_lock lock(mutex_);
      some_free_.wait(lock, [this] { return !free_.empty(); });
      c = free_.back();
      free_.pop_back();
    }
    const auto body = body_of(n);
    const std::string text =
        "POST /orders HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\nIdempotency-Key: bench-" + run_ +
        std::to_string(n) + "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
    c->sent = steady::now();
    for (std::size_t at = 0; at < text.size();) {
      const auto w = ::send(c->fd, text.data() + at, text.size() - at, MSG_NOSIGNAL);
      if (w <= 0) std::abort();
      at += static_cast<std::size_t>(w);
    }
  }

 private:
  struct connection {
    int fd = -1;
    std::string in;
    steady::time_point sent;
  };
  void read() {
    std::array<epoll_event, 64> events;
    std::array<char, 16'384> buffer;
    while (!ending_) {
      const int n = epoll_wait(poll_, events.data(), static_cast<int>(events.size()), 50);
      for (int i = 0; i < n; ++i) {
        auto& c = *static_cast<connection*>(events[static_cast<std::size_t>(i)].data.ptr);
        const auto got = recv(c.fd, buffer.data(), buffer.size(), 0);
        if (got <= 0) continue;
        c.in.append(buffer.data(), static_cast<std::size_t>(got));
        take_replies(c);
      }
    }
  }
  void take_replies(connection& c) {
    const auto head = c.in.find("\r\n\r\n");
    if (head == std::string::npos) return;
    const auto length_at = c.in.find("content-length: ");
    const std::size_t length = length_at < head ? std::stoul(c.in.substr(length_at + 16, 12)) : 0;
    if (c.in.size() < head + 4 + length) return;
    if (c.in.compare(9, 3, "201") == 0) {
      const auto at = c.in.find("location: /orders/");
      ledger_.accepted(std::string_view(c.in).substr(at + 18, 36), c.sent);
    } else {
      ledger_.refused();
    }
    c.in.erase(0, head + 4 + length);
    {
      const std::lock_guard lock(mutex_);
      free_.push_back(&c);
    }
    some_free_.notify_one();
  }
  ledger& ledger_;
  int poll_ = -1;
  std::vector<std::unique_ptr<connection>> all_;
  std::mutex mutex_;
  std::condition_variable some_free_;
  std::vector<connection*> free_;
  std::thread reader_;
  std::atomic<bool> ending_{false};
  const std::string run_ = std::to_string(steady::now().time_since_epoch().count()) + "-";
};

}  // namespace gantry::bench
