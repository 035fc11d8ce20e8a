#include "kafka_admin.hpp"

#include <gtest/gtest.h>
#include <librdkafka/rdkafka.h>

#include <functional>

namespace gantry::bus::kafka::testing {
namespace {

constexpr int answer_ms = 30'000;

rd_kafka_t* client(const std::string& brokers, const std::string& group = "") {
  auto* conf = rd_kafka_conf_new();
  rd_kafka_conf_set(conf, "bootstrap.servers", brokers.c_str(), nullptr, 0);
  if (!group.empty()) rd_kafka_conf_set(conf, "group.id", group.c_str(), nullptr, 0);
  return rd_kafka_new(RD_KAFKA_CONSUMER, conf, nullptr, 0);
}

void ask(const std::string& brokers, const std::function<void(rd_kafka_t*, rd_kafka_queue_t*)>& request) {
  auto* on = client(brokers);
  auto* answers = rd_kafka_queue_new(on);
  request(on, answers);
  auto* answer = rd_kafka_queue_poll(answers, answer_ms);
  ASSERT_NE(answer, nullptr);
  EXPECT_EQ(rd_kafka_event_error(answer), RD_KAFKA_RESP_ERR_NO_ERROR) << rd_kafka_event_error_string(answer);
  rd_kafka_event_destroy(answer);
  rd_kafka_queue_destroy(answers);
  rd_kafka_destroy(on);
}

struct topic_setting {
  std::string value;  // what the broker itself goes by
  bool own = false;   // set for this topic
};

topic_setting setting_of(const std::string& brokers, const std::string& topic, const std::string& name) {
  topic_setting out;
  auto* resource = rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, topic.c_str());
  auto* on = client(brokers);
  auto* answers = rd_kafka_queue_new(on);
  rd_kafka_DescribeConfigs(on, &resource, 1, nullptr, answers);
  auto* answer = rd_kafka_queue_poll(answers, answer_ms);
  std::size_t count = 0;
  const auto** found = rd_kafka_DescribeConfigs_result_resources(rd_kafka_event_DescribeConfigs_result(answer), &count);
  std::size_t entries = 0;
  const auto** entry = count == 0 ? nullptr : rd_kafka_ConfigResource_configs(found[0], &entries);
  for (std::size_t i = 0; i < entries; ++i)
    if (rd_kafka_ConfigEntry_name(entry[i]) == name)
      out = {rd_kafka_ConfigEntry_value(entry[i]),
             rd_kafka_ConfigEntry_source(entry[i]) == RD_KAFKA_CONFIG_SOURCE_DYNAMIC_TOPIC_CONFIG};
  rd_kafka_event_destroy(answer);
  rd_kafka_queue_destroy(answers);
  rd_kafka_ConfigResource_destroy(resource);
  rd_kafka_destroy(on);
  return out;
}

}  // namespace

void set_topic_limit(const std::string& brokers, const std::string& topic, std::uint64_t max_message_bytes) {
  auto* resource = rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, topic.c_str());
  rd_kafka_ConfigResource_set_config(resource, "max.message.bytes", std::to_string(max_message_bytes).c_str());
  ask(brokers,
      [&](rd_kafka_t* on, rd_kafka_queue_t* answers) { rd_kafka_AlterConfigs(on, &resource, 1, nullptr, answers); });
  rd_kafka_ConfigResource_destroy(resource);
  // The controller has it; the broker hears of it a little later.
  while (setting_of(brokers, topic, "max.message.bytes").value != std::to_string(max_message_bytes)) {
  }
}

std::string own_setting(const std::string& brokers, const std::string& topic, const std::string& name) {
  const auto found = setting_of(brokers, topic, name);
  return found.own ? found.value : "";
}

void delete_records(const std::string& brokers, const std::string& topic, std::uint32_t partition,
                    std::uint64_t below) {
  auto* list = rd_kafka_topic_partition_list_new(1);
  rd_kafka_topic_partition_list_add(list, topic.c_str(), static_cast<std::int32_t>(partition))->offset =
      static_cast<std::int64_t>(below);
  auto* request = rd_kafka_DeleteRecords_new(list);
  ask(brokers,
      [&](rd_kafka_t* on, rd_kafka_queue_t* answers) { rd_kafka_DeleteRecords(on, &request, 1, nullptr, answers); });
  rd_kafka_DeleteRecords_destroy(request);
  rd_kafka_topic_partition_list_destroy(list);
}

void delete_topic(const std::string& brokers, const std::string& topic) {
  auto* request = rd_kafka_DeleteTopic_new(topic.c_str());
  ask(brokers,
      [&](rd_kafka_t* on, rd_kafka_queue_t* answers) { rd_kafka_DeleteTopics(on, &request, 1, nullptr, answers); });
  rd_kafka_DeleteTopic_destroy(request);
}

void make_topic(const std::string& brokers, const std::string& topic) {
  auto* request = rd_kafka_NewTopic_new(topic.c_str(), 1, 1, nullptr, 0);
  ask(brokers,
      [&](rd_kafka_t* on, rd_kafka_queue_t* answers) { rd_kafka_CreateTopics(on, &request, 1, nullptr, answers); });
  rd_kafka_NewTopic_destroy(request);
}

std::int64_t group_offset(const std::string& brokers, const std::string& group, const std::string& topic,
                          std::uint32_t partition) {
  auto* on = client(brokers, group);
  auto* list = rd_kafka_topic_partition_list_new(1);
  rd_kafka_topic_partition_list_add(list, topic.c_str(), static_cast<std::int32_t>(partition));
  EXPECT_EQ(rd_kafka_committed(on, list, answer_ms), RD_KAFKA_RESP_ERR_NO_ERROR);
  const auto out = list->elems[0].offset;
  rd_kafka_topic_partition_list_destroy(list);
  rd_kafka_destroy(on);
  return out;
}

}  // namespace gantry::bus::kafka::testing
