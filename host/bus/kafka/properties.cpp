#include "bus/kafka/properties.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <string_view>

#include "base/uuid.hpp"

namespace gantry::bus::kafka {
namespace {

struct reserved_property {
  std::string_view name;
  std::string_view allowed;  // values that change nothing; empty: none
  std::string_view why;
};

constexpr std::string_view brokers_why = "the brokers are named by `brokers:` of the bus";
constexpr std::string_view delivery_why = "events are delivered in order, once, and never given up";
constexpr std::string_view position_why = "a plugin's position is kept in its own store";
constexpr std::string_view strategy_why =
    "members of a group must agree, and hosts come and go without stopping the others";
constexpr std::string_view memory_why = "the driver bounds its memory itself";
constexpr std::string_view callback_why = "the driver has its own way to be told";

constexpr std::array reserved{
    reserved_property{"bootstrap.servers", "", brokers_why},
    reserved_property{"metadata.broker.list", "", brokers_why},
    reserved_property{"acks", "all -1", delivery_why},
    reserved_property{"request.required.acks", "all -1", delivery_why},
    reserved_property{"enable.idempotence", "true", delivery_why},
    reserved_property{"enable.gapless.guarantee", "true", delivery_why},
    reserved_property{"message.timeout.ms", "0", delivery_why},
    reserved_property{"delivery.timeout.ms", "0", delivery_why},
    reserved_property{"retries", "2147483647", delivery_why},
    reserved_property{"message.send.max.retries", "2147483647", delivery_why},
    reserved_property{"queuing.strategy", "fifo", delivery_why},
    reserved_property{"transactional.id", "",
                      "exactly-once effects come from sequence numbers, not from Kafka's transactions"},
    reserved_property{"partitioner", "", "the partition is fixed when the event is committed, by murmur2 of its key"},
    reserved_property{"message.max.bytes", "", "the bound is `max_message:` of each topic"},
    reserved_property{"message.copy.max.bytes", "", memory_why},
    reserved_property{"queue.buffering.max.messages", "", memory_why},
    reserved_property{"queue.buffering.max.kbytes", "", memory_why},
    reserved_property{"queued.min.messages", "", memory_why},
    reserved_property{"queued.max.messages.kbytes", "", memory_why},
    reserved_property{"delivery.report.only.error", "false", "every event's acknowledgement is awaited"},
    reserved_property{"group.id", "", "a plugin's group is named by `group:` of the plugin"},
    reserved_property{"group.protocol.type", "consumer", strategy_why},
    reserved_property{"partition.assignment.strategy", "cooperative-sticky", strategy_why},
    reserved_property{"enable.auto.commit", "false", position_why},
    reserved_property{"auto.commit.enable", "false", position_why},
    reserved_property{"auto.commit.interval.ms", "", position_why},
    reserved_property{"enable.auto.offset.store", "false", position_why},
    reserved_property{"offset.store.method", "broker", position_why},
    reserved_property{"auto.offset.reset", "error",
                      "a position outside the log stops the lane, it never jumps in silence"},
    reserved_property{"isolation.level", "read_committed", "what a foreign producer has aborted is not to be seen"},
    reserved_property{"enable.partition.eof", "false", callback_why},
    reserved_property{"allow.auto.create.topics", "false",
                      "topics are made with the partitions that the topology says"},
    reserved_property{"statistics.interval.ms", "", callback_why},
    reserved_property{"log.queue", "false", callback_why},
    reserved_property{"log_level", "", callback_why},
    reserved_property{"enabled_events", "", callback_why},
    reserved_property{"plugin.library.paths", "", "the host loads no code but its plugins"},
};

// Tuning that only one kind of client knows; librdkafka warns when another kind is given it.
constexpr std::array producer_only{
    std::string_view("linger.ms"),          std::string_view("queue.buffering.max.ms"),
    std::string_view("compression.codec"),  std::string_view("compression.type"),
    std::string_view("compression.level"),  std::string_view("batch.num.messages"),
    std::string_view("batch.size"),         std::string_view("retry.backoff.ms"),
    std::string_view("request.timeout.ms"), std::string_view("queue.buffering.backpressure.threshold"),
    std::string_view("max.in.flight"),      std::string_view("max.in.flight.requests.per.connection"),
};
constexpr std::array consumer_only{
    std::string_view("group.instance.id"),
    std::string_view("session.timeout.ms"),
    std::string_view("heartbeat.interval.ms"),
    std::string_view("coordinator.query.interval.ms"),
    std::string_view("max.poll.interval.ms"),
    std::string_view("fetch.wait.max.ms"),
    std::string_view("fetch.message.max.bytes"),
    std::string_view("max.partition.fetch.bytes"),
    std::string_view("fetch.max.bytes"),
    std::string_view("fetch.min.bytes"),
    std::string_view("fetch.error.backoff.ms"),
    std::string_view("check.crcs"),
    std::string_view("client.rack"),
};

template <typename Names>
bool contains(const Names& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

bool one_of(std::string_view value, std::string_view allowed) {
  while (!allowed.empty()) {
    const auto one = allowed.substr(0, allowed.find(' '));
    if (one == value) return true;
    allowed.remove_prefix(std::min(allowed.size(), one.size() + 1));
  }
  return false;
}

enum class kind { cluster, producer, consumer };

property_map composed(const kafka_bus_options& options, kind of, property_map defaults, const property_map& fixed) {
  for (const auto& [name, value] : options.properties) {
    if (of != kind::producer && contains(producer_only, name)) continue;
    if (of != kind::consumer && contains(consumer_only, name)) continue;
    defaults[name] = value;
  }
  for (const auto& [name, value] : fixed) defaults[name] = value;
  defaults["bootstrap.servers"] = options.brokers;
  defaults["allow.auto.create.topics"] = "false";
  defaults["statistics.interval.ms"] = std::to_string(options.statistics_interval.count());
  return defaults;
}

// A broker that comes back is found again soon.
property_map common_defaults(const kafka_bus_options& options) {
  return {{"client.id", options.client_id},  {"reconnect.backoff.ms", "50"},      {"reconnect.backoff.max.ms", "1000"},
          {"log.connection.close", "false"}, {"socket.keepalive.enable", "true"}, {"socket.nagle.disable", "true"}};
}

}  // namespace

result<void> check_properties(const property_map& given) {
  for (const auto& [name, value] : given) {
    for (const auto& r : reserved) {
      if (r.name != name || one_of(value, r.allowed)) continue;
      std::string text = "bus property " + name + " is " + value + ", which the bus can't do with: ";
      text.append(r.why);
      if (!r.allowed.empty())
        text.append(" (only ").append(r.allowed.substr(0, r.allowed.find(' '))).append(" would do)");
      text.append("; remove it");
      return error{errc::invalid, text};
    }
    if (name == "max.in.flight" || name == "max.in.flight.requests.per.connection") {
      int n = 0;
      std::from_chars(value.data(), value.data() + value.size(), n);
      if (n < 1 || n > 5)
        return error{errc::invalid, "bus property " + name + " is " + value +
                                        ", expected 1 to 5: brokers tell repeated " + "batches by the last five"};
    }
  }
  return {};
}

property_map cluster_properties(const kafka_bus_options& options) {
  return composed(options, kind::cluster, common_defaults(options), {});
}

property_map producer_properties(const kafka_bus_options& options) {
  auto defaults = common_defaults(options);
  defaults["linger.ms"] = "1";
  defaults["batch.size"] = std::to_string(default_batch_bytes);
  return composed(options, kind::producer, std::move(defaults),
                  {{"enable.idempotence", "true"},
                   {"enable.gapless.guarantee", "true"},
                   {"acks", "all"},
                   {"message.timeout.ms", "0"},
                   {"message.max.bytes", "1000000000"},
                   {"queue.buffering.max.messages", "0"},
                   {"queue.buffering.max.kbytes", "2097151"}});
}

property_map consumer_properties(const kafka_bus_options& options, const std::string& group) {
  auto defaults = common_defaults(options);
  // A partition that is sought waits for the fetch that is under way.
  defaults["fetch.wait.max.ms"] = "100";
  // Else a full fetch of a small buffer would overshoot it by much.
  defaults["fetch.message.max.bytes"] = std::to_string(std::min<std::uint64_t>(1U << 20, options.partition_bytes));
  defaults["check.crcs"] = "true";
  // What a host held that is gone for good waits so long for the others.
  defaults["session.timeout.ms"] = "10000";
  if (!options.member.empty()) defaults["group.instance.id"] = options.member;
  const auto kbytes = std::clamp<std::uint64_t>(options.partition_bytes / 1024, 1, 2'097'151);
  auto out = composed(options, kind::consumer, std::move(defaults),
                      {{"partition.assignment.strategy", "cooperative-sticky"},
                       {"enable.auto.commit", "false"},
                       {"enable.auto.offset.store", "false"},
                       {"auto.offset.reset", "error"},
                       {"isolation.level", "read_committed"},
                       {"queued.min.messages", "10000000"},
                       {"queued.max.messages.kbytes", std::to_string(kbytes)}});
  if (group.empty()) {
    // Assigns itself all partitions and never joins; librdkafka wants a name all the same.
    out["group.id"] = "observer-" + new_uuid_string();
    out.erase("group.instance.id");
  } else {
    out["group.id"] = group;
  }
  return out;
}

std::uint64_t batch_bytes(const kafka_bus_options& options) {
  const auto given = options.properties.find("batch.size");
  std::uint64_t bytes = default_batch_bytes;
  if (given != options.properties.end())
    std::from_chars(given->second.data(), given->second.data() + given->second.size(), bytes);
  return bytes;
}

}  // namespace gantry::bus::kafka
