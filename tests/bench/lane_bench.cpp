// What a lane costs: events from the bus through a handler that writes one row and emits one event, committed with position,
// outbox and relay, durable against a loss of power.
//
//   lane_bench [--events N] [--batch N] [--notes on|off] [--pairs N]      prints one JSON object
//
// With --pairs it runs N times with the notes of black box and watchdog and N times without, in turn, and compares the
// medians of the processor time that an event takes: what those notes cost.
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/hash.hpp"
#include "base/uuid.hpp"
#include "blackbox/box.hpp"
#include "bus/local/local_bus.hpp"
#include "gantry/abi/bus.h"
#include "gantry/abi/entry.h"
#include "gantry/abi/store.h"
#include "observability/metrics.hpp"
#include "runtime/instance.hpp"
#include "runtime/lane.hpp"
#include "runtime/watch.hpp"
#include "runtime/worker_pool.hpp"
#include "store/sqlite/sqlite_store.hpp"

namespace {

using namespace gantry;
using steady = std::chrono::steady_clock;

gantry_str text(std::string_view s) { return {s.data(), s.size()}; }

struct counting_plugin {
  gantry_instance table{};
  const gantry_host* host = nullptr;
  const gantry_bus_1* bus = nullptr;
  const gantry_store_1* store = nullptr;
  std::mutex mutex;
  std::condition_variable changed;
  std::uint64_t handled = 0;
};
counting_plugin plugin;

gantry_status handle(void*, const gantry_event* event, gantry_tx* tx) {
  gantry_value params[2] = {};
  params[0].type = GANTRY_TEXT;
  params[0].as.s = event->id;
  params[1].type = GANTRY_TEXT;
  params[1].as.s = event->data;
  auto status = plugin.store->exec(plugin.store->of(tx), text("INSERT INTO seen (id, content) VALUES ($1, $2)"), params, 2, nullptr);
  if (status != GANTRY_OK) return status;
  gantry_emit out{};
  out.struct_size = sizeof out;
  out.topic = text("out");
  out.type = text("Done");
  out.key = event->key;
  out.data = event->data;
  return plugin.bus->emit(tx, &out, nullptr);
}

gantry_status setup(void*) {
  gantry_subscription s{};
  s.struct_size = sizeof s;
  s.topic = text("in");
  s.type = text("Asked");
  s.min_version = s.max_version = 1;
  s.on_event = handle;
  if (const auto status = plugin.bus->subscribe(plugin.host, &s); status != GANTRY_OK) return status;
  gantry_emission e{};
  e.struct_size = sizeof e;
  e.version = 1;
  e.topic = text("out");
  e.type = text("Done");
  return plugin.bus->emits(plugin.host, &e);
}

gantry_status create(const gantry_host* host, const gantry_instance** out) {
  plugin.host = host;
  plugin.bus = static_cast<const gantry_bus_1*>(host->capability(host, GANTRY_BUS_1));
  plugin.store = static_cast<const gantry_store_1*>(host->capability(host, GANTRY_STORE_1));
  plugin.table.struct_size = sizeof plugin.table;
  plugin.table.setup = setup;
  plugin.table.start = [](void*) -> gantry_status { return GANTRY_OK; };
  plugin.table.stop = [](void*) {};
  plugin.table.destroy = [](void*) {};
  *out = &plugin.table;
  return GANTRY_OK;
}

class silent final : public bus::producer_events {
 public:
  void acknowledged(std::uint64_t) override {}
  void failed(std::uint64_t, const error&) override {}
};

}  // namespace

namespace {

struct measured {
  double events_per_s = 0;
  double cpu_us_per_event = 0;  // of all threads
  std::uint64_t transactions = 0;
};

double cpu_seconds() {
  rusage used{};
  getrusage(RUSAGE_SELF, &used);
  const auto seconds = [](const timeval& t) { return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6; };
  return seconds(used.ru_utime) + seconds(used.ru_stime);
}

// Zero events a second: something could not be opened.
measured run(std::uint64_t events, std::size_t batch, bool notes) {
  measured result;
  char name[] = "/var/tmp/gantry-lane-XXXXXX";
  if (mkdtemp(name) == nullptr) return result;
  const std::filesystem::path directory = name;
  {
    auto opened = bus::open_local_bus({.directory = directory / "bus"});
    if (!opened) return result;
    auto& journal = **opened;
    const auto in = *journal.open_topic({.name = "in", .partitions = 3});
    const auto out = *journal.open_topic({.name = "out", .partitions = 3});
    (void)*journal.open_topic({.name = "in.dlq"});
    runtime::topic_directory topics = {{"in", in}, {"out", out}, {"in.dlq", *journal.open_topic({.name = "in.dlq"})}};
    silent nobody;
    auto producer = std::move(*journal.open_producer(nobody));
    std::uint64_t sequence = 0;
    for (std::uint64_t n = 0; n < events; n += 32) {
      std::string bytes[3];
      std::uint32_t counts[3] = {};
      for (std::uint64_t k = n; k < std::min(n + 32, events); ++k) {
        const std::string key = "key-" + std::to_string(k % 1000);
        const std::string data = R"({"n":)" + std::to_string(k) + R"(,"padding":")" + std::string(200, 'x') + "\"}";
        const auto id = new_uuid_string();
        bus::record r;
        r.time_us = system_clock().wall_us();
        r.sequence = ++sequence;
        r.key = key;
        r.type = "Asked";
        r.id = id;
        r.data = data;
        const auto p = partition_of(key, 3);
        bus::encode(r, bytes[p]);
        ++counts[p];
      }
      std::vector<bus::batch> batches;
      for (std::uint32_t p = 0; p < 3; ++p)
        if (counts[p] != 0) batches.push_back({{in, p}, counts[p], "bench", bytes[p]});
      if (!producer->append(n + 1, batches)) return result;
    }

    observability::registry metrics;
    runtime::worker_pool workers(2, "lane");
    auto box = blackbox::box::open(directory / "bench.box");
    if (!box) return result;
    runtime::work_watch watch(system_clock(), **box, [](runtime::work_kind) {});
    runtime::surroundings around;
    around.time = &system_clock();
    around.watch = notes ? &watch : nullptr;
    around.metrics = &metrics;
    around.topics = &topics;
    auto self = std::make_shared<runtime::instance>("counting", "1.0.0", 1, around);
    const gantry_entry entry = {sizeof(gantry_entry), GANTRY_ABI_MAJOR, GANTRY_ABI_MINOR, "counting", "1.0.0", "bench", create};
    if (!self->create(entry)) return result;
    for (auto& e : self->declared.emissions) {
      e.topic_id = out;
      e.partitions = 3;
      e.max_message = 1 << 20;
    }
    auto database = store::open_sqlite_store({.file = directory / "lane.db"});
    if (!database) return result;
    self->database = std::move(*database);
    const std::vector<store::migration> schema = {
        {1, "seen", "", "CREATE TABLE seen (id TEXT PRIMARY KEY, content TEXT NOT NULL) WITHOUT ROWID;", "-"}};
    if (!self->database->migrate(schema)) return result;
    runtime::lane_options options;
    options.batch_max = batch;
    self->writer = std::make_unique<runtime::lane>(*self, *self->database, journal, system_clock(), workers, options);
    if (!self->writer->open("/bench/counting/")) return result;
    self->state(runtime::phase::running);
    const auto begun = steady::now();
    const auto cpu = cpu_seconds();
    if (!self->writer->consume("bench")) return result;
    while (self->counts.events_in->value() < events) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
      self->writer->tick();
      if (notes) watch.tick();
    }
    const double took = std::chrono::duration<double>(steady::now() - begun).count();
    result.cpu_us_per_event = (cpu_seconds() - cpu) * 1e6 / static_cast<double>(events);
    result.events_per_s = static_cast<double>(events) / took;
    result.transactions = self->counts.transactions->value();
    self->writer->close();
    workers.stop();
    self.reset();
    producer.reset();
  }
  std::filesystem::remove_all(directory);
  return result;
}

double median(std::vector<double> of) {
  std::sort(of.begin(), of.end());
  return of[of.size() / 2];
}

int compare(std::uint64_t events, std::size_t batch, std::size_t pairs) {
  std::vector<double> with, without;
  for (std::size_t i = 0; i < pairs; ++i) {
    for (const bool notes : {i % 2 == 0, i % 2 != 0}) {
      const auto one = run(events, batch, notes);
      if (one.events_per_s <= 0) return 1;
      (notes ? with : without).push_back(one.cpu_us_per_event);
    }
  }
  std::printf("{\"bench\":\"lane notes\",\"events\":%llu,\"batch\":%zu,\"pairs\":%zu,\"cpu_us_per_event_with\":%.3f,"
              "\"cpu_us_per_event_without\":%.3f,\"cost_percent\":%.2f}\n",
              static_cast<unsigned long long>(events), batch, pairs, median(with), median(without),
              (median(with) / median(without) - 1) * 100);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  std::uint64_t events = 300'000;
  std::size_t batch = 256, pairs = 0;
  bool notes = true;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string name = argv[i];
    if (name == "--events") events = std::stoull(argv[i + 1]);
    if (name == "--batch") batch = std::stoul(argv[i + 1]);
    if (name == "--notes") notes = std::string(argv[i + 1]) != "off";
    if (name == "--pairs") pairs = std::stoul(argv[i + 1]);
  }
  if (pairs != 0) return compare(events, batch, pairs);
  const auto one = run(events, batch, notes);
  if (one.events_per_s <= 0) return 1;
  std::printf("{\"bench\":\"lane\",\"events\":%llu,\"batch\":%zu,\"events_per_s\":%.0f,\"us_per_event\":%.2f,\"transactions\":%llu}\n",
              static_cast<unsigned long long>(events), batch, one.events_per_s, 1e6 / one.events_per_s,
              static_cast<unsigned long long>(one.transactions));
  return 0;
}
