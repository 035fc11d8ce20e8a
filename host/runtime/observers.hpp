// Feeds a plugin's observers: every event from now on, at most once, without a position.
// Owned by lifecycle with its instance. Thread: run() on a lane worker; open and close main.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "bus/bus.hpp"
#include "runtime/worker_pool.hpp"

namespace gantry::runtime {
class instance;

class observers final : public task, public bus::consumer_events {
 public:
  observers(instance& owner, bus::bus& bus, worker_pool& workers);
  ~observers() override;

  // Begins at the end of each observed topic. Does nothing for a plugin without observers. [main]
  result<void> open();
  // open() in two steps: what comes to the bus after join() is shown once begin() was called.
  result<void> join();
  void begin();
  void close();

  // Fetches again what could not be fetched. [any]
  void tick();

  void run() override;
  // What came meanwhile was not announced here.
  void assigned(bus::partition_id where) override { available(where); }
  void revoked(bus::partition_id) override {}
  void available(bus::partition_id where) override;

 private:
  struct place {
    bus::partition_id where;
    std::string topic;
    std::uint64_t next = 0;
    std::atomic<bool> available{false};
    std::map<std::string, std::uint64_t, std::less<>> last;  // sequence shown of each source
  };
  // Whether it was not shown yet: a relay may have sent an event twice.
  static bool is_new(place& p, const bus::record& r);
  void show(const place& p, const bus::record& r);
  void tell_gap(const place& p);

  instance& owner_;
  bus::bus& bus_;
  worker_pool& workers_;
  std::unique_ptr<bus::consumer> consumer_;
  std::vector<std::unique_ptr<place>> places_;
  bus::fetched fetched_;
  std::atomic<bool> on_{false};
  std::atomic<bool> again_{false};  // a fetch has failed for now
};

}  // namespace gantry::runtime
