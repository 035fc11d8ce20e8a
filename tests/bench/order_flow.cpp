// Drives the whole shop: POST /orders until OrderConfirmed is on the bus, payment as a job, mail written.
//
//   order_flow [--mode in-process|http] [--seconds S] [--window N] [--rate R] [--orders N] [--data DIR] [--durability power|process] [--mail DIR]
//              [--servers DIR | --brokers HOST:PORT --postgres URL [--kafka-pid N --postgres-pid N]] [--pool N] [--batch N]
//
// On the local bus and SQLite; with --servers on a Kafka broker and a PostgreSQL server that the scripts in DIR (deploy/servers)
// start for this run, with --brokers and --postgres on such as run already and hold no shop. Then what bare clients reach on the
// same servers is measured first, and the CPU of both stands beside ours.
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
#include "order_flow_servers.hpp"
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
  std::string server_scripts;  // start servers by these
  bench::servers servers;      // or use these, when brokers are named
  std::size_t pool = 4;        // connections of a plugin to PostgreSQL
  std::size_t batch = 256;     // events of one transaction
  bool on_servers() const { return !servers.brokers.empty(); }
};

std::string topology_text(const arguments& a) {
  std::string t = "version: 1\nname: bench\n";
  if (a.on_servers()) {
    t += "bus: { driver: kafka, brokers: \"" + a.servers.brokers + "\" }\n";
    t += "stores:\n  default: { driver: postgres, url: \"" + a.servers.postgres + "\", schema: \"{plugin}\", pool: " +
         std::to_string(a.pool) + ", durability: " + a.durability + " }\n";
  } else {
    t += "bus: { driver: local, path: " + a.data + "/bus, sync: 5ms }\n";
    t += "stores:\n  default: { driver: sqlite, path: \"" + a.data + "/{plugin}.db\", durability: " + a.durability + " }\n";
  }
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
  t += "plugin_path: [" + a.plugins + "]\nplugins:\n";
  const auto plugin = [&](const std::string& id, const std::string& config) {
    t += "  " + id + ": { hosts: [main], batch: { max: " + std::to_string(a.batch) + " }" + config + " }\n";
  };
  plugin("catalog", ", config: { demo: true }");
  plugin("inventory", ", config: { demo: true, demo_stock: 1000000000 }");
  for (const auto* id : {"order", "payment", "shipping"}) plugin(id, "");
  plugin("notification", ", config: { eml_directory: " + (a.mail.empty() ? a.data + "/mail" : a.mail) + " }");
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

// What a lane has done so far.
struct lane_work {
  std::uint64_t transactions = 0;
  std::uint64_t reruns = 0;
  std::uint64_t events = 0;
};

// Everything that is compared over the measured time.
struct moment {
  steady::time_point at;
  std::uint64_t done = 0;
  std::map<std::string, double> cpu_ours;
  std::map<std::string, double> cpu_servers;
  std::map<std::string, lane_work> lanes;
  bench::database_work database;
};

constexpr std::array plugin_ids{"catalog", "inventory", "order", "payment", "shipping", "notification"};

moment look(const arguments& a, app::host_process& host, const ledger& orders) {
  moment out;
  for (const auto* id : plugin_ids)
    if (const auto found = host.plugins().find(id))
      out.lanes[id] = {found->counts.transactions->value(), found->counts.reruns->value(), found->counts.events_in->value()};
  if (a.on_servers()) {
    out.database = bench::work_of(a.servers);
    out.cpu_servers = bench::cpu_of(a.servers);
  }
  out.cpu_ours = cpu_by_thread();
  out.done = orders.done();
  out.at = steady::now();
  return out;
}

std::string number(double value, int digits) {
  char text[64];
  std::snprintf(text, sizeof text, "%.*f", digits, value);
  return text;
}

// `,"name":value`
std::string member(std::string_view name, double value, int digits) {
  return ",\"" + std::string(name) + "\":" + number(value, digits);
}

// The seconds of CPU between two moments, and per name how many processors that were.
double cpu_between(const std::map<std::string, double>& before, const std::map<std::string, double>& after, double took,
                   std::string& cores) {
  double sum = 0;
  for (const auto& [name, seconds] : after) {
    const auto found = before.find(name);
    const double used = seconds - (found == before.end() ? 0 : found->second);
    sum += used;
    if (used >= 0.01) cores += (cores.empty() ? "\"" : ",\"") + name + "\":" + number(used / took, 2);
  }
  return sum;
}

std::string lanes_between(const moment& from, const moment& to, double orders) {
  std::string out;
  for (const auto& [id, now] : to.lanes) {
    const auto& then = from.lanes.at(id);
    const auto transactions = static_cast<double>(now.transactions - then.transactions);
    if (transactions == 0) continue;
    out += (out.empty() ? "\"" : ",\"") + id + "\":{\"orders_per_transaction\":" + number(orders / transactions, 1) +
           member("events_per_transaction", static_cast<double>(now.events - then.events) / transactions, 1) +
           member("reruns", static_cast<double>(now.reruns - then.reruns), 0) + "}";
  }
  return out;
}

void report(const arguments& a, const moment& from, const moment& to, ledger& orders, std::vector<double>& latencies,
            const std::string& machine) {
  const double took = std::chrono::duration<double>(to.at - from.at).count();
  const auto done = static_cast<double>(std::max<std::uint64_t>(to.done - from.done, 1));
  std::string cores;
  std::string server_cores;
  const double ours = cpu_between(from.cpu_ours, to.cpu_ours, took, cores);
  const double theirs = cpu_between(from.cpu_servers, to.cpu_servers, took, server_cores);
  std::string out = "{\"bench\":\"order_flow\",\"mode\":\"" + a.mode + "\",\"on\":\"" +
                    (a.on_servers() ? "kafka, postgres" : "local, sqlite") + "\",\"durability\":\"" + a.durability + "\"";
  out += member("window", static_cast<double>(a.window), 0) + member("rate", a.rate, 0) + member("seconds", took, 2) +
         member("orders", static_cast<double>(to.done - from.done), 0) + member("orders_per_s", done / took, 0) +
         member("cpu_us_per_order", ours * 1e6 / done, 1);
  if (a.on_servers()) {
    for (const auto& [name, seconds] : to.cpu_servers)
      out += member("cpu_us_per_order_" + name, (seconds - from.cpu_servers.at(name)) * 1e6 / done, 1);
    out += member("cpu_us_per_order_all", (ours + theirs) * 1e6 / done, 1);
    const auto per_order = [&](std::uint64_t before, std::uint64_t after) { return static_cast<double>(after - before) / done; };
    out += member("postgres_commits_per_order", per_order(from.database.commits, to.database.commits), 3) +
           member("postgres_rollbacks_per_order", per_order(from.database.rollbacks, to.database.rollbacks), 3) +
           member("postgres_wal_bytes_per_order", per_order(from.database.wal_bytes, to.database.wal_bytes), 0) +
           member("postgres_wal_syncs_per_order", per_order(from.database.wal_syncs, to.database.wal_syncs), 3);
  }
  out += member("p50_ms", percentile(latencies, 0.5), 2) + member("p95_ms", percentile(latencies, 0.95), 2) +
         member("p99_ms", percentile(latencies, 0.99), 2) + member("max_ms", percentile(latencies, 1), 2) +
         member("refused", static_cast<double>(orders.refusals()), 0) +
         member("unfinished", static_cast<double>(orders.open()), 0) + machine;
  out += ",\"lanes\":{" + lanes_between(from, to, done) + "},\"cpu_cores\":{" + cores + "}";
  if (a.on_servers()) out += ",\"cpu_cores_servers\":{" + server_cores + "}";
  std::printf("%s}\n", out.c_str());
}

int run(const arguments& a) {
  observability::log_options log;
  log.threshold = observability::level::warn;
  observability::open_log(log);
  auto parsed = topology::parse_topology(topology_text(a), "bench.yaml", topology::process_env);
  for (const auto& p : parsed.problems) std::fprintf(stderr, "%s\n", topology::to_text(p).c_str());
  if (topology::has_errors(parsed.problems)) return 1;
  std::string machine;
  if (a.on_servers()) {
    const auto raw = bench::measure_ceilings(a.servers, 1.5);
    machine += member("raw_kafka_messages_per_s", raw.produced_per_s, 0) +
               member("raw_postgres_commits_per_s", raw.commits_per_s, 0) +
               member("raw_postgres_batch_rows_per_s", raw.batch_rows_per_s, 0);
  }
  app::host_options options;
  options.serve_http = a.mode == "http";
  const auto starting = steady::now();
  auto host = app::host_process::start(parsed.model, options);
  if (!host) {
    std::fprintf(stderr, "%s\n", host.failure().text.c_str());
    return 1;
  }
  machine += member("ready_ms", std::chrono::duration<double, std::milli>(steady::now() - starting).count(), 0) +
             member("idle_rss_mb", rss_mb(), 0);
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

  // The beginning warms caches, and on Kafka gives groups the time to form; it is not counted.
  const double warm_seconds = a.on_servers() ? 3 : 1;
  std::uint64_t n = 0;
  auto begun = look(a, **host, orders);
  bool warm = false;
  for (;;) {
    const auto now = steady::now();
    const double since = std::chrono::duration<double>(now - begun.at).count();
    if (!warm && since >= warm_seconds) {
      warm = true;
      begun = look(a, **host, orders);
      orders.forget();
      n = 0;
      continue;
    }
    if (warm && (a.orders != 0 ? orders.done() >= a.orders : since >= a.seconds)) break;
    if (a.rate > 0) {
      const auto due = begun.at + std::chrono::duration_cast<steady::duration>(std::chrono::duration<double>(static_cast<double>(n) / a.rate));
      std::this_thread::sleep_until(due);
      orders.posted();
    } else {
      orders.wait_for_room(a.window);
    }
    send((warm ? 1'000'000'000ULL : 0ULL) + n++);
  }
  const auto ended = look(a, **host, orders);
  auto latencies = orders.take_latencies();
  for (int i = 0; i < 2000 && orders.open() != 0; ++i) std::this_thread::sleep_for(std::chrono::milliseconds(10));
  machine += member("rss_mb", rss_mb(), 0) + member("machine_fdatasync_us", sync_us, 0);
  report(a, begun, ended, orders, latencies, machine);
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
    else if (name == "--servers") a.server_scripts = text;
    else if (name == "--brokers") a.servers.brokers = text;
    else if (name == "--postgres") a.servers.postgres = text;
    else if (name == "--kafka-pid") a.servers.kafka_pid = std::stoi(text);
    else if (name == "--postgres-pid") a.servers.postgres_pid = std::stoi(text);
    else if (name == "--pool") a.pool = std::stoul(text);
    else if (name == "--batch") a.batch = std::stoul(text);
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
  if (!a.server_scripts.empty()) a.servers = bench::start_servers(a.server_scripts, a.data + "/servers");
  const int code = run(a);
  bench::stop_servers(a.servers);
  if (own) std::filesystem::remove_all(a.data);
  return code;
}
