// What a lane costs: events from the bus through a handler that writes one row and emits one event, committed with
// position, outbox and relay, durable against a loss of power.
//
//   lane_bench [--events N] [--batch N] [--notes on|off] [--pairs N]      prints one JSON object
//
// With --pairs two lanes read the same events at the same time, each on a worker of its own and into a store of its
// own: one with the notes of black box and watchdog, one without. Whatever the machine does at that moment it does to
// both. What their workers' processor time differs by is what those notes cost; printed is the median over N pairs, and
// between which two ratios it lies (the signs of a binomial, 95 %).
#include <time.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <memory>
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

// A plugin that writes each event down and answers it. As many instances as there are lanes.
struct answering_plugin {
  gantry_instance table{};
  const gantry_host* host = nullptr;
  const gantry_bus_1* bus = nullptr;
  const gantry_store_1* store = nullptr;
};

gantry_status handle(void* user, const gantry_event* event, gantry_tx* tx) {
  const auto& plugin = *static_cast<answering_plugin*>(user);
  gantry_value params[2] = {};
  params[0].type = GANTRY_TEXT;
  params[0].as.s = event->id;
  params[1].type = GANTRY_TEXT;
  params[1].as.s = event->data;
  const auto status = plugin.store->exec(plugin.store->of(tx), text("INSERT INTO seen (id, content) VALUES ($1, $2)"),
                                         params, 2, nullptr);
  if (status != GANTRY_OK) return status;
  gantry_emit out{};
  out.struct_size = sizeof out;
  out.topic = text("out");
  out.type = text("Done");
  out.key = event->key;
  out.data = event->data;
  return plugin.bus->emit(tx, &out, nullptr);
}

gantry_status setup(void* self) {
  const auto& plugin = *static_cast<answering_plugin*>(self);
  gantry_subscription s{};
  s.struct_size = sizeof s;
  s.topic = text("in");
  s.type = text("Asked");
  s.min_version = s.max_version = 1;
  s.on_event = handle;
  s.user = self;
  if (const auto status = plugin.bus->subscribe(plugin.host, &s); status != GANTRY_OK) return status;
  gantry_emission e{};
  e.struct_size = sizeof e;
  e.version = 1;
  e.topic = text("out");
  e.type = text("Done");
  return plugin.bus->emits(plugin.host, &e);
}

gantry_status create(const gantry_host* host, const gantry_instance** out) {
  auto* plugin = new answering_plugin;
  plugin->host = host;
  plugin->bus = static_cast<const gantry_bus_1*>(host->capability(host, GANTRY_BUS_1));
  plugin->store = static_cast<const gantry_store_1*>(host->capability(host, GANTRY_STORE_1));
  plugin->table.struct_size = sizeof plugin->table;
  plugin->table.self = plugin;
  plugin->table.setup = setup;
  plugin->table.start = [](void*) -> gantry_status { return GANTRY_OK; };
  plugin->table.stop = [](void*) {};
  plugin->table.destroy = [](void* self) { delete static_cast<answering_plugin*>(self); };
  *out = &plugin->table;
  return GANTRY_OK;
}

class silent final : public bus::producer_events {
 public:
  void acknowledged(std::uint64_t) override {}
  void failed(std::uint64_t, const error&) override {}
};

constexpr std::uint32_t partitions = 3;

// `events` records on "in", as another plugin would have put them there.
bool fill(bus::bus& journal, std::uint32_t in, std::uint64_t events) {
  silent nobody;
  auto producer = journal.open_producer(nobody);
  if (!producer) return false;
  const std::string padding(200, 'x');
  for (std::uint64_t n = 0; n < events; n += 32) {
    std::string bytes[partitions];
    std::uint32_t counts[partitions] = {};
    for (std::uint64_t k = n; k < std::min(n + 32, events); ++k) {
      const std::string key = "key-" + std::to_string(k % 1000);
      const std::string data = R"({"n":)" + std::to_string(k) + R"(,"padding":")" + padding + "\"}";
      const auto id = new_uuid_string();
      bus::record r;
      r.time_us = system_clock().wall_us();
      r.sequence = k + 1;
      r.key = key;
      r.type = "Asked";
      r.id = id;
      r.data = data;
      const auto p = partition_of(key, partitions);
      bus::encode(r, bytes[p]);
      ++counts[p];
    }
    std::vector<bus::batch> batches;
    for (std::uint32_t p = 0; p < partitions; ++p)
      if (counts[p] != 0) batches.push_back({{in, p}, counts[p], "bench", bytes[p]});
    if (!(*producer)->append(n + 1, batches)) return false;
  }
  return true;
}

// The processor time that this process's threads of that name have used.
double cpu_seconds_of(const std::string& thread_name) {
  double all = 0;
  for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
    std::string name;
    std::getline(std::ifstream(task.path() / "comm"), name);
    if (name != thread_name) continue;
    double on_cpu_ns = 0;  // the first field: proc(5), schedstat
    std::ifstream(task.path() / "schedstat") >> on_cpu_ns;
    all += on_cpu_ns / 1e9;
  }
  return all;
}

double cpu_seconds_of_this_thread() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) / 1e9;
}

struct measured {
  double seconds = 0;
  double cpu_us_per_event = 0;  // of the lane's workers, and of the watch
  std::uint64_t transactions = 0;
};

// One lane with all that belongs to it. Its worker threads have its name.
class bench_lane {
 public:
  bench_lane(std::string name, std::size_t threads) : name_(std::move(name)), workers_(threads, name_) {}
  ~bench_lane() {
    if (self_ != nullptr && self_->writer != nullptr) self_->writer->close();
    workers_.stop();
  }

  bool open(bus::bus& journal, const runtime::topic_directory& topics, const std::filesystem::path& folder,
            std::size_t batch, bool notes) {
    auto box = blackbox::box::open(folder / (name_ + ".box"));
    if (!box) return false;
    box_ = std::move(*box);
    if (notes) watch_ = std::make_unique<runtime::work_watch>(system_clock(), *box_, [](runtime::work_kind) {});
    runtime::surroundings around;
    around.time = &system_clock();
    around.watch = watch_.get();
    around.metrics = &metrics_;
    around.topics = &topics;
    self_ = std::make_shared<runtime::instance>(name_, "1.0.0", 1, around);
    const gantry_entry entry = {
        sizeof(gantry_entry), GANTRY_ABI_MAJOR, GANTRY_ABI_MINOR, "lane", "1.0.0", "bench", create};
    if (!self_->create(entry)) return false;
    for (auto& e : self_->declared.emissions) {
      e.topic_id = topics.at("out");
      e.partitions = partitions;
      e.max_message = 1 << 20;
    }
    auto database = store::open_sqlite_store({.file = folder / (name_ + ".db")});
    if (!database) return false;
    self_->database = std::move(*database);
    const std::vector<store::migration> schema = {
        {1, "seen", "", "CREATE TABLE seen (id TEXT PRIMARY KEY, content TEXT NOT NULL) WITHOUT ROWID;", "-"}};
    if (!self_->database->migrate(schema)) return false;
    runtime::lane_options options;
    options.batch_max = batch;
    self_->writer =
        std::make_unique<runtime::lane>(*self_, *self_->database, journal, system_clock(), workers_, options);
    if (!self_->writer->open("/bench/" + name_ + "/")) return false;
    self_->state(runtime::phase::running);
    return true;
  }

  bool begin() {
    begun_ = steady::now();
    cpu_ = cpu_seconds_of(name_);
    return self_->writer->consume(name_).ok();
  }

  // True once `events` are handled; what they took is in result() then.
  bool tick(std::uint64_t events) {
    if (result_.seconds > 0) return true;
    self_->writer->tick();
    if (watch_ != nullptr) {
      const auto before = cpu_seconds_of_this_thread();
      watch_->tick();
      watching_ += cpu_seconds_of_this_thread() - before;
    }
    if (self_->counts.events_in->value() < events) return false;
    result_.seconds = std::chrono::duration<double>(steady::now() - begun_).count();
    result_.cpu_us_per_event = (cpu_seconds_of(name_) - cpu_ + watching_) * 1e6 / static_cast<double>(events);
    result_.transactions = self_->counts.transactions->value();
    return true;
  }

  const measured& result() const { return result_; }

 private:
  const std::string name_;
  observability::registry metrics_;
  std::unique_ptr<blackbox::box> box_;
  std::unique_ptr<runtime::work_watch> watch_;
  runtime::worker_pool workers_;
  std::shared_ptr<runtime::instance> self_;
  steady::time_point begun_;
  double cpu_ = 0;
  double watching_ = 0;
  measured result_;
};

struct lane_plan {
  std::string name;
  bool notes;
  std::size_t threads;
};

// All lanes at once over the same events; one figure each, none when something could not be opened.
std::vector<measured> run(std::uint64_t events, std::size_t batch, const std::vector<lane_plan>& plans) {
  char name[] = "/var/tmp/gantry-lane-XXXXXX";
  if (mkdtemp(name) == nullptr) return {};
  const std::filesystem::path folder = name;
  const auto measure = [&]() -> std::vector<measured> {
    auto journal = bus::open_local_bus({.directory = folder / "bus"});
    if (!journal) return {};
    runtime::topic_directory topics;
    for (const auto& [topic, count] :
         {std::pair{"in", partitions}, std::pair{"out", partitions}, std::pair{"in.dlq", 1U}}) {
      const auto opened = (*journal)->open_topic({.name = topic, .partitions = count});
      if (!opened) return {};
      topics[topic] = *opened;
    }
    if (!fill(**journal, topics.at("in"), events)) return {};
    std::vector<std::unique_ptr<bench_lane>> lanes;
    for (const auto& plan : plans) {
      lanes.push_back(std::make_unique<bench_lane>(plan.name, plan.threads));
      if (!lanes.back()->open(**journal, topics, folder, batch, plan.notes)) return {};
    }
    for (auto& lane : lanes)
      if (!lane->begin()) return {};
    for (std::size_t ended = 0; ended < lanes.size();) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
      ended = 0;
      for (auto& lane : lanes) ended += lane->tick(events) ? 1 : 0;
    }
    std::vector<measured> results;
    for (const auto& lane : lanes) results.push_back(lane->result());
    return results;
  };
  auto results = measure();
  std::filesystem::remove_all(folder);
  return results;
}

int compare(std::uint64_t events, std::size_t batch, std::size_t pairs) {
  std::vector<double> cost, noted, plain;
  for (std::size_t i = 0; i < pairs; ++i) {
    std::vector<lane_plan> plans = {{"noted", true, 1}, {"plain", false, 1}};
    if (i % 2 != 0) std::swap(plans[0], plans[1]);  // neither is always the first
    const auto both = run(events, batch, plans);
    if (both.size() != 2) return 1;
    const auto& with = both[i % 2];
    const auto& without = both[1 - i % 2];
    noted.push_back(with.cpu_us_per_event);
    plain.push_back(without.cpu_us_per_event);
    cost.push_back((with.cpu_us_per_event / without.cpu_us_per_event - 1) * 100);
  }
  for (auto* one : {&cost, &noted, &plain}) std::sort(one->begin(), one->end());
  const auto n = static_cast<double>(pairs);
  const auto aside = static_cast<std::size_t>(std::max(0.0, std::floor((n - 1.96 * std::sqrt(n)) / 2)));
  std::printf(
      "{\"bench\":\"lane notes\",\"events\":%llu,\"batch\":%zu,\"pairs\":%zu,\"cpu_us_per_event_with\":%.3f,"
      "\"cpu_us_per_event_without\":%.3f,\"cost_percent\":%.2f,\"cost_percent_from\":%.2f,\"cost_percent_to\":%.2f}\n",
      static_cast<unsigned long long>(events), batch, pairs, noted[pairs / 2], plain[pairs / 2], cost[pairs / 2],
      cost[aside], cost[pairs - 1 - aside]);
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
  const auto one = run(events, batch, {{"lane", notes, 2}});
  if (one.empty()) return 1;
  const auto rate = static_cast<double>(events) / one[0].seconds;
  std::printf(
      "{\"bench\":\"lane\",\"events\":%llu,\"batch\":%zu,\"events_per_s\":%.0f,\"us_per_event\":%.2f,\"transactions\":%"
      "llu}\n",
      static_cast<unsigned long long>(events), batch, rate, 1e6 / rate,
      static_cast<unsigned long long>(one[0].transactions));
  return 0;
}
