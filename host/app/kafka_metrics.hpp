// What librdkafka's clients say of themselves, as series of /metrics: gantry_kafka_*. Clients come and go, each with a
// number; the series are those of a kind (client="producer", "consumer", "observer", "cluster") and of a consumer's
// group, over all its clients. Shared by those whom Kafka's bus may still call. Thread: any.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <utility>

#include "base/clock.hpp"
#include "bus/kafka/kafka_bus.hpp"
#include "observability/metrics.hpp"

namespace gantry::app {

class kafka_metrics {
 public:
  static constexpr std::chrono::milliseconds interval{5'000};  // between two words of one client

  // Both outlive it.
  kafka_metrics(observability::registry& metrics, const clock& time) : metrics_(metrics), clock_(time) {}

  // Counters grow by what the client has counted since its last word; gauges are the sum (of round trips the longest)
  // over the clients that have spoken within three intervals.
  void note(const bus::kafka_statistics& said);

 private:
  static constexpr std::size_t counters = 6;
  static constexpr std::size_t gauges = 5;

  struct client {
    bus::kafka_statistics last;
    std::int64_t heard_us = 0;
  };
  // Of one kind and group.
  struct series {
    std::map<std::string, client> clients;  // by the name with its number
    std::array<observability::counter*, counters> counted{};
    std::array<observability::gauge*, gauges> now{};  // null: the registry refused it
  };

  series& series_of(const std::string& name);
  static void show(const series& of);

  observability::registry& metrics_;
  const clock& clock_;
  std::mutex mutex_;
  std::map<std::pair<std::string, std::string>, series> all_;  // by kind and group; guarded by mutex_
};

}  // namespace gantry::app
