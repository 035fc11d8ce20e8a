// A plugin made of functions, with the real SQLite store and the real local bus in a temporary directory, and a clock
// that stands still until the test moves it.
#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "bus/local/local_bus.hpp"
#include "cuttable_bus.hpp"
#include "jobs/job_board.hpp"
#include "runtime/dispatcher.hpp"
#include "runtime/instance.hpp"
#include "runtime/lane.hpp"
#include "runtime/request_pool.hpp"
#include "runtime/worker_pool.hpp"

namespace gantry::testing {

class manual_clock final : public clock {
 public:
  std::int64_t wall_us() const noexcept override { return base + passed_ + set_by_; }
  std::int64_t steady_us() const noexcept override { return 1'000'000 + passed_; }
  void pass(std::int64_t us) { passed_ += us; }
  // Somebody sets the machine's clock; no time passes.
  void set_ahead(std::int64_t us) { set_by_ += us; }
  static constexpr std::int64_t base = 1'800'000'000'000'000;

 private:
  std::atomic<std::int64_t> passed_{0};
  std::atomic<std::int64_t> set_by_{0};
};

struct scratch {
  scratch();
  ~scratch();
  scratch(const scratch&) = delete;
  scratch& operator=(const scratch&) = delete;
  std::filesystem::path path;
};

// What the plugin does. All run on the runtime's threads.
struct script {
  bool batches = false;
  std::function<gantry_status(const gantry_event&, gantry_tx*)> event;
  std::function<gantry_status(const gantry_event*, std::size_t, gantry_tx*, std::size_t*)> batch;
  std::function<void(const gantry_event*)> observe;  // of "out"; null: a gap
  std::function<gantry_status(const gantry_job&, gantry_context*)> job;
  std::function<gantry_status(const gantry_job&, gantry_str, gantry_tx*)> job_done;
  std::function<gantry_status(const gantry_job&, gantry_tx*)> job_failed;
  std::function<gantry_status(std::string, gantry_tx*)> timer;
  std::function<gantry_status(gantry_db*)> restore;
  std::function<gantry_status(const gantry_request&, gantry_tx*)> post;  // POST /things, idempotent
  std::function<gantry_status(gantry_context*)> read;                    // GET /list, which may lag, and GET /newest
  std::function<int()> refuse;        // the status with which the same is refused before it writes; 0: it is not
  const gantry_host* host = nullptr;  // set by create
};

std::string text(gantry_str s);
// Statements of a handler; the status of the first failure.
gantry_status insert(gantry_tx* tx, std::string_view key, std::string_view body);
gantry_status emit(gantry_tx* tx, std::string_view key, std::string_view data);
gantry_status schedule(gantry_tx* tx, std::string_view key, std::string_view payload, std::int64_t at_us = 0);
gantry_status schedule_new(gantry_tx* tx, std::string_view key, std::string_view payload);
gantry_status cancel(gantry_tx* tx, std::string_view key);
gantry_status arm(gantry_tx* tx, std::string_view key, std::int64_t delay_us, bool after_ack);
// In restore.
gantry_status rearm(const script& of, std::string_view key, std::int64_t delay_us);

// An instance of the plugin that the script plays; end_plugin() takes it down.
std::shared_ptr<runtime::instance> make_plugin(script& plays, const runtime::surroundings& around,
                                               const bus::bus& events, std::uint32_t generation = 1);
void end_plugin(std::shared_ptr<runtime::instance>& plugin);
// Another generation of a plugin that runs, which shares what belongs to the plugin; it has not started.
std::shared_ptr<runtime::instance> next_generation(const runtime::instance& of, script& plays, const bus::bus& events);
// A write that calls these.
std::unique_ptr<runtime::write> make_write(std::function<gantry_status(gantry_tx&)> fn,
                                           std::function<void(bool, gantry_status)> ended);

struct row {
  std::string key;
  std::string body;
  friend bool operator==(const row&, const row&) = default;
  friend auto operator<=>(const row&, const row&) = default;
};

// What was emitted, as a consumer sees it that drops what it has seen, by partition and in order.
std::vector<row> seen_on(bus::bus& events, bus::topic_id topic);

class bench {
 public:
  explicit bench(script& plugin, runtime::lane_options options = {});
  ~bench();
  bench(const bench&) = delete;
  bench& operator=(const bench&) = delete;

  void start();
  // The first part of it: the plugin's lane is opened. When that fails, stop() is all that may follow.
  result<void> open();
  void stop();
  // As kill -9 leaves it: what the lane has not committed is gone, nothing is tidied up. `between`: while nothing runs.
  void crash(const std::function<void()>& between = {});

  // The store's file; it may be changed while the plugin is stopped.
  std::filesystem::path store_file() const { return where_.path / std::to_string(life_) / "store.db"; }

  // Appends an event of type "made" to topic "in".
  void publish(const std::string& key, const std::string& data);
  void publish(const std::vector<row>& events);
  // As a foreign producer would: without a sequence.
  void publish_foreign(const std::string& key, const std::string& data, const std::string& id);

  // Runs a function in the write lane and waits for its end.
  gantry_status write(std::function<gantry_status(gantry_tx&)> fn);
  // The same without waiting; `ended` is told.
  void post(std::function<gantry_status(gantry_tx&)> fn, std::function<void(bool, gantry_status)> ended);
  // A request as it comes over HTTP, answered. With an empty key: without one.
  runtime::reply ask(const std::string& method, const std::string& path, const std::string& body = {},
                     const std::string& key = {});
  // The plugin's next generation takes the work over; the former one ends.
  void swap(script& next, const std::vector<runtime::deadly_work>* knows);
  // Lets the lane run until the condition holds. Moves no time.
  void until(const std::function<bool()>& condition);
  // Lets time pass as it does on a host: somebody looks at the clock now and then. With time.pass() all stands still.
  void pass(std::int64_t us);
  // The same, while time passes in small steps.
  void passing_until(const std::function<bool()>& condition);
  // All that was published is handled, and what was emitted is on the bus.
  void settle();
  bool settled();

  void replay();

  std::vector<row> rows(const std::string& sql = "SELECT key, body FROM log ORDER BY n");
  // Bodies of the rows of a key, in order.
  std::string of_key(const std::string& key);
  // What was emitted, as a consumer sees it that drops what it has seen, by partition and in order.
  std::vector<row> emitted(const std::string& topic = "out");
  std::uint64_t appended(const std::string& topic);  // with repetitions

  runtime::lane& lane() { return *plugin->writer; }
  bus::topic_id topic(const std::string& name) const { return topics.at(name); }

  manual_clock time;
  std::unique_ptr<bus::bus> real_bus;
  std::unique_ptr<cuttable_bus> events;
  std::unique_ptr<runtime::worker_pool> lanes;
  std::unique_ptr<runtime::request_pool> workers;
  std::unique_ptr<runtime::dispatcher> router;
  std::shared_ptr<runtime::instance> plugin;
  runtime::topic_directory topics;
  std::vector<runtime::deadly_work> deadly;  // what the next life is told

 private:
  void open_store();
  void run();

  scratch where_;
  script& script_;
  const runtime::lane_options options_;
  observability::registry metrics_;
  int life_ = 0;
  std::uint64_t published_ = 0;
};

}  // namespace gantry::testing
