// Hosts that run the same plugin on one PostgreSQL schema and one bus, in one process.
//
// POSTGRES_ENV names the file in which deploy/servers/postgres.sh says where the server is.
#pragma once

#include <condition_variable>
#include <future>
#include <mutex>
#include <thread>

#include "base/hash.hpp"
#include "bench.hpp"
#include "steered_bus.hpp"
#include "store/postgres/postgres_store.hpp"

namespace gantry::testing {

// The machine's clock, which somebody may set.
class crooked_clock final : public clock {
 public:
  std::int64_t wall_us() const noexcept override { return system_clock().wall_us() + ahead_; }
  std::int64_t steady_us() const noexcept override { return system_clock().steady_us(); }
  void set_ahead(std::int64_t us) { ahead_ = us; }

 private:
  std::atomic<std::int64_t> ahead_{0};
};

// One of the hosts. A thread lets time pass.
class replica {
 public:
  struct place {
    bus::bus* events = nullptr;
    const runtime::topic_directory* topics = nullptr;
    store::postgres_options store;
    std::int64_t lease_us = 1'000'000;
    const clock* time = &system_clock();
  };

  // Starts it. `plays` outlives it.
  replica(std::string host, script& plays, place at);
  ~replica();
  replica(const replica&) = delete;
  replica& operator=(const replica&) = delete;

  // In peace: what it has goes to the others.
  void stop();
  // The process stands still between two batches, and goes on.
  void freeze();
  void thaw();

  // Partition of topic "in".
  void give(std::uint32_t partition) { events.give({at_.topics->at("in"), partition}); }
  void take(std::uint32_t partition) { events.take({at_.topics->at("in"), partition}); }

  gantry_status write(std::function<gantry_status(gantry_tx&)> fn);
  // As an operator asks this host for it: topic "in" from its beginning.
  void replay();
  // POST /things; the status of the answer.
  std::future<runtime::reply> ask(const std::string& key, const std::string& body);
  runtime::lane& lane() { return *plugin->writer; }

  steered_bus events;
  std::shared_ptr<runtime::instance> plugin;
  std::unique_ptr<runtime::dispatcher> router;

 private:
  class standstill;

  const place at_;
  observability::registry metrics_;
  std::unique_ptr<runtime::worker_pool> lanes_;
  std::unique_ptr<runtime::request_pool> workers_;
  std::unique_ptr<standstill> still_;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool ending_ = false;  // guarded by mutex_
  std::thread ticker_;
};

class shared_store : public ::testing::Test {
 protected:
  void SetUp() override;
  void TearDown() override;

  std::unique_ptr<replica> start(const std::string& host, script& plays) {
    return std::make_unique<replica>(host, plays, place_);
  }
  void publish(const std::string& key, const std::string& data);
  std::uint32_t partition(const std::string& key) const { return partition_of(key, partitions); }
  // A key of the partition.
  std::string key_in(std::uint32_t wanted, int nth = 0) const;

  // Columns parted by commas, rows by semicolons.
  std::string rows(const std::string& sql);
  // Bodies that were inserted for a key, in order.
  std::string of_key(const std::string& key) {
    return rows("SELECT coalesce(string_agg(body, ' ' ORDER BY n), '') FROM log WHERE key = '" + key + "'");
  }
  std::vector<row> emitted() { return seen_on(*bus_, topics_.at("out")); }
  // Waits until it holds; fails after a generous while.
  static void until(const std::function<bool()>& condition, const char* what);

  static constexpr std::uint32_t partitions = 2;
  scratch where_;
  std::unique_ptr<bus::bus> bus_;
  runtime::topic_directory topics_;
  replica::place place_;
  std::unique_ptr<store::store> store_;
  std::uint64_t published_ = 0;
};

}  // namespace gantry::testing
