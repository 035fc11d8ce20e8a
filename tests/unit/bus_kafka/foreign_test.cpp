// Other people's tools on the same topics: kcat reads what we write and writes what we read.
#include "kafka_fixture.hpp"

namespace gantry::bus::kafka::testing {
namespace {

class KafkaForeignTest : public ::testing::Test, public kafka_fixture {
 public:
  fetched fetch_one(std::uint64_t from) {
    if (!observer) observer = join("", observed);
    fetched got;
    while (true) {
      const auto done = observer->fetch(at(0), from, 1, 1 << 20, got);
      EXPECT_TRUE(done) << (done ? "" : done.failure().text);
      if (!done || !got.records.empty()) return got;
      observed.wait_for_records();
    }
  }
};

TEST_F(KafkaForeignTest, KcatShowsOurHeadersKeyTimeAndDocument) {
  open_topic();
  time_us = 1'767'225'600'123'456;
  append_and_wait({"hello"});
  const auto shown = output_of("kcat -C -q -e -b " + options.brokers + " -t " + topic_name + " -f '%k|%T|%h|%s'");
  EXPECT_EQ(
      shown,
      "k|1767225600123|ce_specversion=1.0,ce_id=id-1,ce_source=/shop/order/s1.1,ce_type=OrderCreated,ce_subject=k,"
      "ce_time=2026-01-01T00:00:00.123456Z,ce_sequence=00000000000000000001,content-type=application/json|"
      R"({"eventId":"id-1","occurredOn":"2026-01-01T00:00:00.123456Z","eventType":"OrderCreated",)"
      R"("aggregateId":"k","version":2,"data":"hello"})");
}

TEST_F(KafkaForeignTest, ReadsPlainJsonAndCloudEventsFromKcat) {
  open_topic();
  const auto to = " | kcat -P -b " + options.brokers + " -t " + topic_name + " -p 0 2>&1";
  output_of(R"(printf '{"amount":7}')" + to);
  output_of(R"(printf 'order-9#{"data":{"amount":8},"eventType":"Paid","eventId":"e8"}')" + to + " -K '#'");
  output_of(R"(printf '{"amount":9}')" + to + " -H ce_id=c9 -H ce_type=Paid -H ce_source=/bank -H correlation-id=x");

  auto got = fetch_one(0);
  EXPECT_EQ(got.records[0].id, topic_name + "-0-0");
  EXPECT_EQ(got.records[0].sequence, 0U);
  EXPECT_EQ(got.records[0].data, R"({"amount":7})");
  EXPECT_GT(got.records[0].time_us, 1'700'000'000'000'000);

  got = fetch_one(1);
  EXPECT_EQ(got.records[0].key, "order-9");
  EXPECT_EQ(got.records[0].type, "Paid");
  EXPECT_EQ(got.records[0].id, "e8");
  EXPECT_EQ(got.records[0].data, R"({"amount":8})");
  EXPECT_EQ(got.records[0].document, R"({"data":{"amount":8},"eventType":"Paid","eventId":"e8"})");

  got = fetch_one(2);
  EXPECT_EQ(got.records[0].id, "c9");
  EXPECT_EQ(got.records[0].type, "Paid");
  EXPECT_EQ(got.records[0].source, "/bank");
  EXPECT_EQ(got.records[0].correlation_id, "x");
  EXPECT_EQ(got.records[0].data, R"({"amount":9})");
}

}  // namespace
}  // namespace gantry::bus::kafka::testing
