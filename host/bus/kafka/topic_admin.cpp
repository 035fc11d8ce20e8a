#include "bus/kafka/topic_admin.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <string_view>

#include "bus/kafka/client.hpp"
#include "bus/kafka/message.hpp"

namespace gantry::bus::kafka {
namespace {

using new_topic = std::unique_ptr<rd_kafka_NewTopic_t, release<rd_kafka_NewTopic_destroy>>;
using resource = std::unique_ptr<rd_kafka_ConfigResource_t, release<rd_kafka_ConfigResource_destroy>>;
using admin_options = std::unique_ptr<rd_kafka_AdminOptions_t, release<rd_kafka_AdminOptions_destroy>>;

error asking(const std::string& what, rd_kafka_resp_err_t code, const char* text) {
  return {kind_of(code), what + ": " + (text != nullptr && *text != '\0' ? text : rd_kafka_err2str(code))};
}

// The answer to an admin request, or why there is none.
result<event_handle> answer_of(rd_kafka_queue_t* answers, const std::string& what, std::chrono::milliseconds wait) {
  // librdkafka gives up at `wait` by itself; a little later than that it has said so.
  event_handle event(rd_kafka_queue_poll(answers, static_cast<int>(wait.count()) + 1000));
  if (!event)
    return error{errc::timeout, what + ": no broker has answered within " + std::to_string(wait.count()) + " ms"};
  if (const auto code = rd_kafka_event_error(event.get()); code != RD_KAFKA_RESP_ERR_NO_ERROR)
    return asking(what, code, rd_kafka_event_error_string(event.get()));
  return event;
}

admin_options with_timeout(rd_kafka_t* client, rd_kafka_admin_op_t what, std::chrono::milliseconds wait) {
  admin_options out(rd_kafka_AdminOptions_new(client, what));
  std::array<char, 256> why{};
  const auto ms = static_cast<int>(std::max<std::int64_t>(1, wait.count()));
  rd_kafka_AdminOptions_set_request_timeout(out.get(), ms, why.data(), why.size());
  if (what == RD_KAFKA_ADMIN_OP_CREATETOPICS)
    rd_kafka_AdminOptions_set_operation_timeout(out.get(), ms, why.data(), why.size());
  return out;
}

}  // namespace

result<found_topic> find_topic(rd_kafka_t* client, const std::string& name, std::chrono::milliseconds wait) {
  const std::string what = "asking for topic " + name;
  const topic_handle topic(rd_kafka_topic_new(client, name.c_str(), nullptr));
  if (!topic) return asking(what, rd_kafka_last_error(), nullptr);
  const rd_kafka_metadata_t* raw = nullptr;
  const auto code = rd_kafka_metadata(client, 0, topic.get(), &raw, static_cast<int>(wait.count()));
  if (code != RD_KAFKA_RESP_ERR_NO_ERROR) return asking(what, code, nullptr);
  const std::unique_ptr<const rd_kafka_metadata_t, release<rd_kafka_metadata_destroy>> metadata(raw);
  found_topic out;
  if (metadata->topic_cnt != 1) return out;
  const auto& found = metadata->topics[0];
  if (found.err == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART) return out;
  if (found.err != RD_KAFKA_RESP_ERR_NO_ERROR && found.err != RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE)
    return asking(what, found.err, nullptr);
  out.partitions = static_cast<std::uint32_t>(found.partition_cnt);
  out.led = out.partitions != 0;
  for (int i = 0; i < found.partition_cnt; ++i) {
    const auto replicas = static_cast<std::uint32_t>(found.partitions[i].replica_cnt);
    out.replicas = i == 0 ? replicas : std::min(out.replicas, replicas);
    out.led = out.led && found.partitions[i].leader >= 0;
  }
  return out;
}

result<void> make_topic(rd_kafka_t* client, const topic_spec& spec, const kafka_bus_options& options,
                        std::chrono::milliseconds wait) {
  const std::string what = "making topic " + spec.name;
  std::array<char, 512> why{};
  const new_topic topic(rd_kafka_NewTopic_new(spec.name.c_str(), static_cast<int>(spec.partitions), options.replication,
                                              why.data(), why.size()));
  if (!topic) return error{errc::invalid, what + ": " + why.data()};
  const auto set = [&](const char* name, const std::string& value) {
    rd_kafka_NewTopic_set_config(topic.get(), name, value.c_str());
  };
  set("cleanup.policy", "delete");
  set("retention.ms", std::to_string(spec.retention.count()));
  // Kafka counts by partition.
  if (spec.retention_bytes != 0)
    set("retention.bytes", std::to_string(std::max<std::uint64_t>(1, spec.retention_bytes / spec.partitions)));
  set("max.message.bytes", std::to_string(needed_batch(spec, options)));
  if (options.min_insync != 0) set("min.insync.replicas", std::to_string(options.min_insync));
  const queue_handle answers(rd_kafka_queue_new(client));
  const auto bounds = with_timeout(client, RD_KAFKA_ADMIN_OP_CREATETOPICS, wait);
  auto* one = topic.get();
  rd_kafka_CreateTopics(client, &one, 1, bounds.get(), answers.get());
  auto answer = answer_of(answers.get(), what, wait);
  if (!answer) return std::move(answer).failure();
  std::size_t count = 0;
  const auto* all = rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(answer->get()), &count);
  for (std::size_t i = 0; i < count; ++i) {
    const auto code = rd_kafka_topic_result_error(all[i]);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR && code != RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS)
      return asking(what, code, rd_kafka_topic_result_error_string(all[i]));
  }
  return {};
}

result<std::optional<std::uint64_t>> largest_batch(rd_kafka_t* client, const std::string& name,
                                                   std::chrono::milliseconds wait) {
  const resource topic(rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, name.c_str()));
  const queue_handle answers(rd_kafka_queue_new(client));
  const auto bounds = with_timeout(client, RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS, wait);
  auto* one = topic.get();
  rd_kafka_DescribeConfigs(client, &one, 1, bounds.get(), answers.get());
  auto answer = answer_of(answers.get(), "asking for the limits of topic " + name, wait);
  if (!answer) return std::move(answer).failure();
  std::size_t count = 0;
  const auto* found =
      rd_kafka_DescribeConfigs_result_resources(rd_kafka_event_DescribeConfigs_result(answer->get()), &count);
  std::optional<std::uint64_t> out;
  if (count != 1 || rd_kafka_ConfigResource_error(found[0]) != RD_KAFKA_RESP_ERR_NO_ERROR) return out;
  std::size_t entries = 0;
  const auto* entry = rd_kafka_ConfigResource_configs(found[0], &entries);
  for (std::size_t i = 0; i < entries; ++i) {
    const char* value = rd_kafka_ConfigEntry_value(entry[i]);
    if (value == nullptr || std::string_view(rd_kafka_ConfigEntry_name(entry[i])) != "max.message.bytes") continue;
    const std::string_view text(value);
    std::uint64_t bytes = 0;
    if (std::from_chars(text.data(), text.data() + text.size(), bytes).ec == std::errc{}) out = bytes;
  }
  return out;
}

std::uint64_t needed_batch(const topic_spec& spec, const kafka_bus_options& options) {
  return std::max(spec.max_message + message_overhead, batch_bytes(options));
}

}  // namespace gantry::bus::kafka
