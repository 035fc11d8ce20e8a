// Drives the whole shop: POST /orders until OrderConfirmed is on the bus, payment as a job, mail written.
//
//   order_flow [--mode in-process|http] [--seconds S] [--window N] [--rate R] [--orders N] [--data DIR] [--durability power|process] [--mail DIR]
//
// Without --rate it keeps N orders between POST and Confirmed (closed loop) and reports the rate that this sustains; with it,
// it sends at that rate and reports latency. Prints one JSON object; the machine's own fsync time stands beside the figures.
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
#include <cstring>
#include <deque>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "app/host_process.hpp"
#include "observability/log.hpp"
#include "topology/topology.hpp"

namespace {

using namespace gantry;
using steady = std::chrono::steady_clock;

struct arguments {
  std::string mode = "in-process";
  double seconds = 10;
  std::size_t window = 1500;
  double rate = 0;
  std::uint64_t orders = 0;  // stop after so many instead of after a time
  std::string data;
  std::string plugins = GANTRY_PLUGIN_DIR;
  std::string durability = "power";
  std::string mail;  // where .eml files go; a directory of `data` unless given
  bool keep = false;
};

std::string topology_text(const arguments& a) {
  std::string t = "version: 1\nname: bench\nbus: { driver: local, path: " + a.data + "/bus, sync: 5ms }\n";
  t += "stores:\n  default: { driver: sqlite, path: \"" + a.data + "/{plugin}.db\", durability: " + a.durability + " }\n";
  t += "state: " + a.data + "/state\n";
  t += R"(topics:
  catalog-events: { partitions: 3 }
  inventory-commands: { partitions: 2 }
  inventory-events: { partitions: 2 }
  order-events: { partitions: 3 }
  payment-commands: { partitions: 2 }
  payment-events: { partitions: 2 }
  shipping-commands: { partitions: 2 }
  shipping-events: { partitions: 2 }
  notification-events: { partitions: 1 }
hosts:
  main: { http: 127.0.0.1:0 }
)";
  t += "plugin_path: [" + a.plugins + "]\n";
  t += "plugins:\n  catalog: { hosts: [main], config: { demo: true } }\n"
       "  inventory: { hosts: [main], config: { demo: true, demo_stock: 1000000000 } }\n"
       "  order: { hosts: [main] }\n  payment: { hosts: [main] }\n  shipping: { hosts: [main] }\n"
       "  notification: { hosts: [main], config: { eml_directory: " + (a.mail.empty() ? a.data + "/mail" : a.mail) + " } }\n";
  return t;
}

std::string body_of(std::uint64_t n) {
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
    for (std::uint32_t p = 0; p < events.topic(topic).partitions; ++p) next_.push_back(consumer_->range({topic, p})->end);
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
    if (getaddrinfo(address.substr(0, colon).c_str(), address.substr(colon + 1).c_str(), &hints, &found) != 0) std::abort();
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
    const std::string text = "POST /orders HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\nIdempotency-Key: bench-" + run_ +
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

// CPU seconds of this process's threads by their names.
std::map<std::string, double> cpu_by_thread() {
  std::map<std::string, double> out;
  const double hertz = static_cast<double>(sysconf(_SC_CLK_TCK));
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/task")) {
    std::ifstream file(entry.path() / "stat");
    std::string text((std::istreambuf_iterator<char>(file)), {});
    const auto open = text.find('(');
    const auto close_at = text.rfind(')');
    if (open == std::string::npos || close_at == std::string::npos) continue;
    unsigned long user = 0;
    unsigned long system = 0;
    if (std::sscanf(text.c_str() + close_at + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &system) != 2) continue;
    out[text.substr(open + 1, close_at - open - 1)] += static_cast<double>(user + system) / hertz;
  }
  return out;
}

double fsync_us(const std::string& directory) {
  const auto name = directory + "/fsync.probe";
  const int fd = ::open(name.c_str(), O_RDWR | O_CREAT, 0600);
  std::array<char, 4096> page{};
  for (int i = 0; i < 64; ++i)
    if (pwrite(fd, page.data(), page.size(), i * 4096) < 0) break;
  fsync(fd);
  const auto begun = steady::now();
  constexpr int times = 200;
  for (int i = 0; i < times; ++i)
    if (pwrite(fd, page.data(), page.size(), (i % 64) * 4096) < 0 || fdatasync(fd) != 0) break;
  const double us = std::chrono::duration<double, std::micro>(steady::now() - begun).count() / times;
  close(fd);
  std::filesystem::remove(name);
  return us;
}

double percentile(std::vector<double>& v, double q) {
  if (v.empty()) return 0;
  const auto at = static_cast<std::ptrdiff_t>(q * static_cast<double>(v.size() - 1));
  std::nth_element(v.begin(), v.begin() + at, v.end());
  return v[static_cast<std::size_t>(at)];
}

double rss_mb() {
  std::ifstream file("/proc/self/statm");
  double pages = 0;
  file >> pages >> pages;
  return pages * static_cast<double>(sysconf(_SC_PAGESIZE)) / 1e6;
}

int run(const arguments& a) {
  observability::log_options log;
  log.threshold = observability::level::warn;
  observability::open_log(log);
  auto parsed = topology::parse_topology(topology_text(a), "bench.yaml", topology::process_env);
  for (const auto& p : parsed.problems) std::fprintf(stderr, "%s\n", topology::to_text(p).c_str());
  if (topology::has_errors(parsed.problems)) return 1;
  app::host_options options;
  options.serve_http = a.mode == "http";
  const auto starting = steady::now();
  auto host = app::host_process::start(parsed.model, options);
  if (!host) {
    std::fprintf(stderr, "%s\n", host.failure().text.c_str());
    return 1;
  }
  const double ready_ms = std::chrono::duration<double, std::milli>(steady::now() - starting).count();
  const double idle_mb = rss_mb();
  const double sync_us = fsync_us(a.data);
  ledger orders;
  const auto topic = (*host)->plugins().topics().at("order-events");
  auto watch = std::make_unique<watcher>((*host)->events(), topic, orders);
  std::unique_ptr<in_process_load> direct;
  std::unique_ptr<http_load> http;
  if (options.serve_http) {
    http = std::make_unique<http_load>((*host)->address(), orders, 64);
  } else {
    direct = std::make_unique<in_process_load>((*host)->router(), orders);
  }
  const auto send = [&](std::uint64_t n) { http ? http->send(n) : direct->send(n); };

  // The first second warms caches and is not counted.
  std::uint64_t n = 0;
  auto begun = steady::now();
  auto cpu_before = cpu_by_thread();
  std::uint64_t done_before = 0;
  bool warm = false;
  for (;;) {
    const auto now = steady::now();
    const double since = std::chrono::duration<double>(now - begun).count();
    if (!warm && since >= 1) {
      warm = true;
      begun = now;
      cpu_before = cpu_by_thread();
      done_before = orders.done();
      orders.forget();
      n = 0;
      continue;
    }
    if (warm && (a.orders != 0 ? orders.done() >= a.orders : since >= a.seconds)) break;
    if (a.rate > 0) {
      const auto due = begun + std::chrono::duration_cast<steady::duration>(std::chrono::duration<double>(static_cast<double>(n) / a.rate));
      std::this_thread::sleep_until(due);
      orders.posted();
    } else {
      orders.wait_for_room(a.window);
    }
    send((warm ? 1'000'000'000ULL : 0ULL) + n++);
  }
  const double took = std::chrono::duration<double>(steady::now() - begun).count();
  const auto cpu_after = cpu_by_thread();
  const auto done = orders.done() - done_before;
  auto latencies = orders.take_latencies();
  for (int i = 0; i < 2000 && orders.open() != 0; ++i) std::this_thread::sleep_for(std::chrono::milliseconds(10));
  std::string cpu;
  double cpu_seconds = 0;
  for (const auto& [name, seconds] : cpu_after) {
    const auto before = cpu_before.find(name);
    const double used = seconds - (before == cpu_before.end() ? 0 : before->second);
    cpu_seconds += used;
    if (used < 0.01) continue;
    char text[96];
    std::snprintf(text, sizeof text, "%s\"%s\":%.2f", cpu.empty() ? "" : ",", name.c_str(), used / took);
    cpu += text;
  }
  std::printf(
      "{\"bench\":\"order_flow\",\"mode\":\"%s\",\"durability\":\"%s\",\"window\":%zu,\"rate\":%.0f,\"seconds\":%.2f,\"orders\":%llu,"
      "\"orders_per_s\":%.0f,\"cpu_us_per_order\":%.1f,\"p50_ms\":%.2f,\"p95_ms\":%.2f,\"p99_ms\":%.2f,\"max_ms\":%.2f,\"refused\":%llu,\"unfinished\":%zu,"
      "\"ready_ms\":%.0f,\"idle_rss_mb\":%.0f,\"rss_mb\":%.0f,\"machine_fdatasync_us\":%.0f,\"cpu_cores\":{%s}}\n",
      a.mode.c_str(), a.durability.c_str(), a.window, a.rate, took, static_cast<unsigned long long>(done),
      static_cast<double>(done) / took, cpu_seconds * 1e6 / static_cast<double>(std::max<std::uint64_t>(done, 1)),
      percentile(latencies, 0.5), percentile(latencies, 0.95),
      percentile(latencies, 0.99), percentile(latencies, 1), static_cast<unsigned long long>(orders.refusals()),
      orders.open(), ready_ms, idle_mb, rss_mb(), sync_us, cpu.c_str());
  http.reset();
  watch.reset();  // its consumer must be gone before the bus is
  (*host)->drain_and_stop(std::chrono::milliseconds(20'000));
  return orders.open() == 0 ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  arguments a;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string name = argv[i];
    const std::string text = argv[i + 1];
    if (name == "--mode") a.mode = text;
    else if (name == "--seconds") a.seconds = std::stod(text);
    else if (name == "--window") a.window = std::stoul(text);
    else if (name == "--rate") a.rate = std::stod(text);
    else if (name == "--orders") a.orders = std::stoull(text);
    else if (name == "--data") a.data = text;
    else if (name == "--plugins") a.plugins = text;
    else if (name == "--durability") a.durability = text;
    else if (name == "--mail") a.mail = text;
    else {
      std::fprintf(stderr, "order_flow: unknown option %s\n", name.c_str());
      return 2;
    }
  }
  const bool own = a.data.empty();
  if (own) {
    char name[] = "/var/tmp/gantry-bench-XXXXXX";
    if (mkdtemp(name) == nullptr) return 1;
    a.data = name;
  }
  const int code = run(a);
  if (own) std::filesystem::remove_all(a.data);
  return code;
}
