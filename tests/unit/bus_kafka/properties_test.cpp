// Which of librdkafka's properties a topology may set.
#include <gtest/gtest.h>

#include "bus/kafka/client.hpp"
#include "bus/kafka/kafka_bus.hpp"
#include "bus/kafka/properties.hpp"

namespace gantry::bus::kafka {
namespace {

std::string refusal(const std::string& name, const std::string& value) {
  const auto checked = check_properties({{name, value}});
  return checked ? "" : checked.failure().text;
}

TEST(KafkaPropertiesTest, RefusesThoseThatBreakThePromises) {
  for (const auto& [name, value] : property_map{{"enable.auto.commit", "true"},
                                                {"enable.idempotence", "false"},
                                                {"acks", "1"},
                                                {"request.required.acks", "0"},
                                                {"group.id", "mine"},
                                                {"message.timeout.ms", "5000"},
                                                {"partition.assignment.strategy", "range"},
                                                {"auto.offset.reset", "latest"},
                                                {"max.in.flight", "6"},
                                                {"bootstrap.servers", "elsewhere:9092"},
                                                {"transactional.id", "t"}}) {
    const auto text = refusal(name, value);
    EXPECT_NE(text.find(name), std::string::npos) << name;
    EXPECT_NE(text.find(value), std::string::npos) << text;
  }
}

TEST(KafkaPropertiesTest, SaysWhyAndWhatWouldDo) {
  EXPECT_EQ(
      refusal("acks", "1"),
      "bus property acks is 1, which the bus can't do with: events are delivered in order, once, and never given up"
      " (only all would do); remove it");
}

TEST(KafkaPropertiesTest, TakesThoseThatChangeNothing) {
  EXPECT_EQ(refusal("acks", "all"), "");
  EXPECT_EQ(refusal("acks", "-1"), "");
  EXPECT_EQ(refusal("enable.idempotence", "true"), "");
  EXPECT_EQ(refusal("max.in.flight", "1"), "");
}

TEST(KafkaPropertiesTest, HandsTuningToTheClientsItIsFor) {
  kafka_bus_options options;
  options.properties = {{"linger.ms", "7"}, {"fetch.min.bytes", "9"}, {"security.protocol", "plaintext"}};
  EXPECT_EQ(producer_properties(options).at("linger.ms"), "7");
  EXPECT_EQ(producer_properties(options).count("fetch.min.bytes"), 0U);
  EXPECT_EQ(consumer_properties(options, "g").at("fetch.min.bytes"), "9");
  EXPECT_EQ(consumer_properties(options, "g").count("linger.ms"), 0U);
  EXPECT_EQ(cluster_properties(options).at("security.protocol"), "plaintext");
}

// Shorter than what an application waits for an answer: then nobody gives up because a host is gone.
TEST(KafkaPropertiesTest, AMemberThatIsGoneIsMissedSoonUnlessTheTopologySaysOtherwise) {
  kafka_bus_options options;
  EXPECT_EQ(consumer_properties(options, "g").at("session.timeout.ms"), "10000");
  options.properties = {{"session.timeout.ms", "45000"}};
  EXPECT_EQ(consumer_properties(options, "g").at("session.timeout.ms"), "45000");
  EXPECT_EQ(producer_properties(options).count("session.timeout.ms"), 0U);
}

TEST(KafkaPropertiesTest, NamesMembersOnlyOfGroups) {
  kafka_bus_options options;
  options.member = "host-1";
  EXPECT_EQ(consumer_properties(options, "g").at("group.instance.id"), "host-1");
  EXPECT_EQ(consumer_properties(options, "").count("group.instance.id"), 0U);
  EXPECT_NE(consumer_properties(options, "").at("group.id"), consumer_properties(options, "").at("group.id"));
}

TEST(KafkaPropertiesTest, FindsAtOnceWhatLibrdkafkaDoesNotKnow) {
  kafka_bus_options options;
  options.brokers = "127.0.0.1:1";
  options.properties = {{"linger.mss", "5"}};
  const auto opened = open_kafka_bus(options);
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.failure().code, errc::invalid);
  EXPECT_NE(opened.failure().text.find("linger.mss"), std::string::npos);
  options.properties = {{"security.protocol", "nonsense"}};
  EXPECT_EQ(open_kafka_bus(options).failure().code, errc::invalid);
  // Each is fine alone: a client made of them would not be.
  options.properties = {{"security.protocol", "ssl"}, {"ssl.ca.location", "/nowhere/ca.pem"}};
  EXPECT_EQ(open_kafka_bus(options).failure().code, errc::invalid);
}

TEST(KafkaPropertiesTest, TakesTlsAndSasl) {
  kafka_bus_options options;
  options.brokers = "127.0.0.1:1";
  options.properties = {{"security.protocol", "sasl_ssl"},
                        {"sasl.mechanism", "SCRAM-SHA-512"},
                        {"sasl.username", "shop"},
                        {"sasl.password", "secret"},
                        {"ssl.endpoint.identification.algorithm", "https"}};
  const auto opened = open_kafka_bus(options);
  EXPECT_TRUE(opened) << (opened ? "" : opened.failure().text);
}

}  // namespace
}  // namespace gantry::bus::kafka
