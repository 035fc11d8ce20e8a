#include "app/kafka_metrics.hpp"

#include <algorithm>
#include <string_view>
#include <type_traits>

#include "observability/log.hpp"

namespace gantry::app {
namespace {

using bus::kafka_statistics;

struct counter_kind {
  const char* name;
  const char* help;
  std::uint64_t kafka_statistics::*value;
};
constexpr std::array counter_kinds{
    counter_kind{"gantry_kafka_messages_sent_total", "Messages sent to brokers, again ones included.",
                 &kafka_statistics::messages_sent},
    counter_kind{"gantry_kafka_bytes_sent_total", "Bytes of those messages.", &kafka_statistics::bytes_sent},
    counter_kind{"gantry_kafka_messages_received_total", "Messages received from brokers.",
                 &kafka_statistics::messages_received},
    counter_kind{"gantry_kafka_bytes_received_total", "Bytes of those messages.", &kafka_statistics::bytes_received},
    counter_kind{"gantry_kafka_disconnects_total", "Connections to brokers that ended.",
                 &kafka_statistics::disconnects},
    counter_kind{"gantry_kafka_rebalances_total", "Times that the group's partitions were shared out anew.",
                 &kafka_statistics::rebalances},
};

struct gauge_kind {
  const char* name;
  const char* help;
  double (*value)(const kafka_statistics& of);
  bool longest;  // over all clients, not their sum
};
constexpr std::array gauge_kinds{
    gauge_kind{"gantry_kafka_messages_waiting", "Messages that brokers have not acknowledged.",
               [](const kafka_statistics& s) { return static_cast<double>(s.messages_waiting); }, false},
    gauge_kind{"gantry_kafka_bytes_waiting", "Bytes of those messages.",
               [](const kafka_statistics& s) { return static_cast<double>(s.bytes_waiting); }, false},
    gauge_kind{"gantry_kafka_bytes_buffered", "Bytes that were received and not yet fetched by a lane.",
               [](const kafka_statistics& s) { return static_cast<double>(s.bytes_buffered); }, false},
    gauge_kind{"gantry_kafka_committed_lag", "Messages behind the end, by the positions that Kafka was told.",
               [](const kafka_statistics& s) { return static_cast<double>(s.lag); }, false},
    gauge_kind{"gantry_kafka_round_trip_seconds", "To the slowest broker and back, 99th percentile.",
               [](const kafka_statistics& s) { return static_cast<double>(s.round_trip_p99_us) / 1e6; }, true},
};

// "consumer-3 of shop.order": kind and group.
std::pair<std::string, std::string> kind_and_group(std::string_view name) {
  constexpr std::string_view of = " of ";
  const auto at = name.find(of);
  const auto group = at == std::string_view::npos ? std::string_view() : name.substr(at + of.size());
  return {std::string(name.substr(0, name.find_first_of("- "))), std::string(group)};
}

}  // namespace

kafka_metrics::series& kafka_metrics::series_of(const std::string& name) {
  static_assert(counter_kinds.size() == counters && gauge_kinds.size() == gauges);
  auto key = kind_and_group(name);
  const auto [at, fresh] = all_.try_emplace(key);
  auto& out = at->second;
  if (!fresh) return out;
  observability::labels with{{"client", key.first}};
  if (!key.second.empty()) with.push_back({"group", key.second});
  const auto take = [](const char* metric, auto&& made) {
    if (made) return *made;
    observability::log_warn("A metric could not be added.", {{"metric", metric}, {"error", made.failure().text}});
    return std::decay_t<decltype(*made)>{nullptr};
  };
  for (std::size_t i = 0; i < counters; ++i)
    out.counted[i] =
        take(counter_kinds[i].name, metrics_.get_counter(counter_kinds[i].name, counter_kinds[i].help, with));
  for (std::size_t i = 0; i < gauges; ++i)
    out.now[i] = take(gauge_kinds[i].name, metrics_.get_gauge(gauge_kinds[i].name, gauge_kinds[i].help, with));
  return out;
}

void kafka_metrics::note(const kafka_statistics& said) {
  const auto now = clock_.steady_us();
  const std::lock_guard lock(mutex_);
  auto& mine = series_of(said.client);
  auto& one = mine.clients[said.client];
  for (std::size_t i = 0; i < counters; ++i) {
    const auto value = said.*counter_kinds[i].value;
    const auto before = one.last.*counter_kinds[i].value;
    // A member that joins anew keeps its name and counts from 0.
    if (mine.counted[i] != nullptr) mine.counted[i]->add(value >= before ? value - before : value);
  }
  one.last = said;
  one.heard_us = now;
  // Those of a kind that nobody speaks for any more too.
  const auto oldest = now - 3 * std::chrono::microseconds(interval).count();
  for (auto& [key, of] : all_) {
    const auto gone = std::erase_if(of.clients, [&](const auto& c) { return c.second.heard_us < oldest; });
    if (&of == &mine || gone != 0) show(of);
  }
}

void kafka_metrics::show(const series& of) {
  for (std::size_t i = 0; i < gauges; ++i) {
    double value = 0;
    for (const auto& [name, one] : of.clients) {
      const double its = gauge_kinds[i].value(one.last);
      value = gauge_kinds[i].longest ? std::max(value, its) : value + its;
    }
    if (of.now[i] != nullptr) of.now[i]->set(value);
  }
}

}  // namespace gantry::app
