// Drives the whole shop: POST /orders until OrderConfirmed is on the bus, payment as a job, mail written.
//
//   order_flow [--mode in-process|http] [--seconds S] [--window N] [--rate R] [--orders N] [--data DIR] [--durability
//   power|process] [--mail DIR]
//              [--servers DIR | --brokers HOST:PORT --postgres URL [--kafka-pid N --postgres-pid N]] [--pool N]
//              [--batch N] [--kafka-properties 'linger.ms: "5"']
//
// On the local bus and SQLite; with --servers on a Kafka broker and a PostgreSQL server that the scripts in DIR
// (deploy/servers) start for this run, with --brokers and --postgres on such as run already and hold no shop. Then what
// bare clients reach on the same servers is measured first, and the CPU of both stands beside ours.
//
// Without --rate it keeps N orders between POST and Confirmed (closed loop) and reports the rate that this sustains;
// with it, it sends at that rate and reports latency. Prints one JSON object; the machine's own fsync time, and
// what plain SQLite does on it just after, stand beside the figures.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <thread>

#include "app/host_process.hpp"
#include "machine_speed.hpp"
#include "observability/log.hpp"
#include "order_flow_arguments.hpp"
#include "order_flow_figures.hpp"
#include "order_flow_load.hpp"
#include "order_flow_servers.hpp"
#include "topology/topology.hpp"

namespace {

using namespace gantry;
using bench::arguments;
using bench::http_load;
using bench::in_process_load;
using bench::ledger;
using bench::look;
using bench::member;
using bench::steady;
using bench::watcher;

std::string topology_text(const arguments& a) {
  std::string t = "version: 1\nname: bench\n";
  if (a.on_servers()) {
    t += "bus: { driver: kafka, brokers: \"" + a.servers.brokers + "\", properties: { " + a.kafka_properties + " } }\n";
    t += "stores:\n  default: { driver: postgres, url: \"" + a.servers.postgres +
         "\", schema: \"{plugin}\", pool: " + std::to_string(a.pool) + ", durability: " + a.durability + " }\n";
  } else {
    t += "bus: { driver: local, path: " + a.data + "/bus, sync: 5ms }\n";
    t += "stores:\n  default: { driver: sqlite, path: \"" + a.data + "/{plugin}.db\", durability: " + a.durability +
         " }\n";
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
             member("idle_rss_mb", bench::rss_mb(), 0);
  const double sync_us = bench::fsync_us(a.data);
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
      const auto due = begun.at + std::chrono::duration_cast<steady::duration>(
                                      std::chrono::duration<double>(static_cast<double>(n) / a.rate));
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
  machine += member("rss_mb", bench::rss_mb(), 0) + member("machine_fdatasync_us", sync_us, 0) +
             member("machine_sqlite_per_s", bench::sqlite_statements_per_s(1), 0);
  bench::report(a, begun, ended, orders, latencies, machine);
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
    if (name == "--mode")
      a.mode = text;
    else if (name == "--seconds")
      a.seconds = std::stod(text);
    else if (name == "--window")
      a.window = std::stoul(text);
    else if (name == "--rate")
      a.rate = std::stod(text);
    else if (name == "--orders")
      a.orders = std::stoull(text);
    else if (name == "--data")
      a.data = text;
    else if (name == "--plugins")
      a.plugins = text;
    else if (name == "--durability")
      a.durability = text;
    else if (name == "--mail")
      a.mail = text;
    else if (name == "--servers")
      a.server_scripts = text;
    else if (name == "--brokers")
      a.servers.brokers = text;
    else if (name == "--postgres")
      a.servers.postgres = text;
    else if (name == "--kafka-pid")
      a.servers.kafka_pid = std::stoi(text);
    else if (name == "--postgres-pid")
      a.servers.postgres_pid = std::stoi(text);
    else if (name == "--kafka-properties")
      a.kafka_properties = text;
    else if (name == "--pool")
      a.pool = std::stoul(text);
    else if (name == "--batch")
      a.batch = std::stoul(text);
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
