// One Kafka cluster as this host sees it: its topics, what it can be asked, and whether it answers.
// Owned by the bus. Thread: any; a thread of its own watches whether brokers answer.
#pragma once

#include <atomic>
#include <deque>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <string>
#include <thread>
#include <vector>

#include "bus/bus.hpp"
#include "bus/kafka/client.hpp"

namespace gantry::bus::kafka {

class cluster {
 public:
  // invalid: properties that can't be. Waits for no broker.
  static result<std::unique_ptr<cluster>> open(const kafka_bus_options& options);
  ~cluster();
  cluster(const cluster&) = delete;
  cluster& operator=(const cluster&) = delete;

  const kafka_bus_options& options() const noexcept { return options_; }
  std::string_view id() const;  // empty until a topic was opened

  result<topic_id> open_topic(const topic_spec& spec);
  // Precondition: open_topic gave this id.
  const topic_spec& topic(topic_id id) const;
  std::vector<topic_spec> topics() const;
  bool has(partition_id where) const;

  result<log_range> range(partition_id where) const;
  result<std::uint64_t> offset_at(partition_id where, std::int64_t time_us) const;

  result<void> health() const;
  // Asks now, and waits no longer than a second and a half.
  bool answers();
  // A client says that it has lost all brokers: see at once whether that is so.
  void doubt();

  // Distinguishes the clients of this bus in logs and statistics.
  unsigned next_client() noexcept { return ++clients_; }

 private:
  struct topic_entry {
    std::vector<std::unique_ptr<const topic_spec>> specs;  // all ever given out; the last one counts
  };

  explicit cluster(const kafka_bus_options& options);
  void watch();
  void set_health(std::string why);  // empty: well
  result<void> make_if_missing(const topic_spec& spec);
  result<void> check_limits(const topic_spec& spec) const;
  result<void> learn_id(std::chrono::milliseconds wait);
  // The first offset at or after this time, or the start or end of the log (RD_KAFKA_OFFSET_BEGINNING, _END).
  result<std::int64_t> find_offset(partition_id where, std::int64_t time_ms) const;
  topic_id enlist(const topic_spec& spec);

  const kafka_bus_options options_;
  client_context context_;
  handle client_;
  queue_handle events_;
  std::atomic<unsigned> clients_{0};

  std::mutex opening_;             // one open_topic at a time
  bool told_of_replicas_ = false;  // guarded by opening_
  mutable std::shared_mutex topics_mutex_;
  std::deque<topic_entry> topics_;
  std::string id_;  // set once

  mutable std::mutex health_mutex_;
  std::string unwell_;
  std::atomic<bool> well_{false};
  std::atomic<bool> doubted_{true};
  std::atomic<bool> stopping_{false};
  std::thread watcher_;
};

}  // namespace gantry::bus::kafka
