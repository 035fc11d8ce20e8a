// Records as Kafka messages and back, our own and those of foreign producers.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "bus/kafka/message.hpp"

namespace gantry::bus::kafka {
namespace {

record order_created() {
  record r;
  r.time_us = 1'767'225'600'000'001;
  r.sequence = 42;
  r.version = 3;
  r.key = "order-1";
  r.type = "OrderCreated";
  r.id = "0190-id";
  r.correlation_id = "corr";
  r.causation_id = "cause";
  r.traceparent = "00-trace";
  r.data = R"({"total":12,"text":"a \"quoted\" }"})";
  return r;
}

std::string text_of(const message_layout& m, std::string_view name) {
  for (const auto& h : m.headers())
    if (h.name == name) return std::string(h.value);
  return "(none)";
}

// A message and the room that its record points into.
class arrived {
 public:
  explicit arrived(delivered what) : room_(room_for(what), '\0'), end_(room_.data()) {
    what_ = read_message(what, end_, nullptr);
    EXPECT_LE(static_cast<std::size_t>(end_ - room_.data()), room_.size());
  }
  const record* operator->() const { return &what_; }

 private:
  std::string room_;
  char* end_;
  record what_;
};

TEST(KafkaMessageTest, WritesCloudEventsHeadersAndTheDocument) {
  message_layout out;
  out.lay_out(order_created(), "/shop/order/s.1");
  EXPECT_EQ(text_of(out, "ce_specversion"), "1.0");
  EXPECT_EQ(text_of(out, "ce_id"), "0190-id");
  EXPECT_EQ(text_of(out, "ce_source"), "/shop/order/s.1");
  EXPECT_EQ(text_of(out, "ce_type"), "OrderCreated");
  EXPECT_EQ(text_of(out, "ce_subject"), "order-1");
  EXPECT_EQ(text_of(out, "ce_time"), "2026-01-01T00:00:00.000001Z");
  EXPECT_EQ(text_of(out, "ce_sequence"), "00000000000000000042");
  EXPECT_EQ(text_of(out, "content-type"), "application/json");
  EXPECT_EQ(text_of(out, "traceparent"), "00-trace");
  EXPECT_EQ(text_of(out, "correlation-id"), "corr");
  EXPECT_EQ(text_of(out, "causation-id"), "cause");
  EXPECT_EQ(out.value(),
            R"({"eventId":"0190-id","occurredOn":"2026-01-01T00:00:00.000001Z","eventType":"OrderCreated",)"
            R"("aggregateId":"order-1","version":3,"data":{"total":12,"text":"a \"quoted\" }"}})");
}

TEST(KafkaMessageTest, ReadsBackWhatItWrote) {
  auto r = order_created();
  const std::string extra =
      "gantry-error\x1f"
      "no stock\x1e"
      "gantry-attempts\x1f"
      "4\x1e";
  r.extra = extra;
  message_layout out;
  out.lay_out(r, "/shop/order/s.1");
  const arrived back({"orders", 1, 7, 5, r.key, out.value(), out.headers()});
  EXPECT_EQ(back->offset, 7U);
  EXPECT_EQ(back->time_us, r.time_us);
  EXPECT_EQ(back->sequence, r.sequence);
  EXPECT_EQ(back->version, r.version);
  EXPECT_EQ(back->key, r.key);
  EXPECT_EQ(back->type, r.type);
  EXPECT_EQ(back->id, r.id);
  EXPECT_EQ(back->correlation_id, r.correlation_id);
  EXPECT_EQ(back->causation_id, r.causation_id);
  EXPECT_EQ(back->traceparent, r.traceparent);
  EXPECT_EQ(back->data, r.data);
  EXPECT_EQ(back->document, "");
  EXPECT_EQ(back->extra, extra);
  EXPECT_EQ(back->source, "/shop/order/s.1");
}

TEST(KafkaMessageTest, ReadsKeysThatNeedEscapes) {
  auto r = order_created();
  r.key = "a\"b\\c\n";
  r.data = "7";
  message_layout out;
  out.lay_out(r, "s");
  const arrived back({"orders", 1, 7, 5, r.key, out.value(), out.headers()});
  EXPECT_EQ(back->key, r.key);
  EXPECT_EQ(back->data, "7");
  EXPECT_EQ(back->version, 3U);
}

TEST(KafkaMessageTest, TakesTheSourceOfTheRecordBefore) {
  message_layout out;
  out.lay_out(order_created(), "/shop/order/s.1");
  const delivered one{"orders", 1, 7, 5, "k", out.value(), out.headers()};
  std::string room(2 * room_for(one), '\0');
  char* at = room.data();
  const auto first = read_message(one, at, nullptr);
  const auto second = read_message(one, at, &first);
  EXPECT_EQ(second.source, "/shop/order/s.1");
  EXPECT_EQ(second.source.data(), first.source.data());
}

TEST(KafkaMessageTest, GivesPlainJsonAnIdAndAllOfItsText) {
  const arrived back({"orders", 2, 17, 1500, "k", R"({"total":1})", {}});
  EXPECT_EQ(back->sequence, 0U);
  EXPECT_EQ(back->id, "orders-2-17");
  EXPECT_EQ(back->type, "");
  EXPECT_EQ(back->source, "");
  EXPECT_EQ(back->version, 1U);
  EXPECT_EQ(back->time_us, 1'500'000);
  EXPECT_EQ(back->document, R"({"total":1})");
  EXPECT_EQ(back->data, back->document);
}

TEST(KafkaMessageTest, FindsTheFieldsOfOurDocumentFromAForeignHand) {
  const arrived back(
      {"orders",
       0,
       1,
       1500,
       "",
       R"({"version":4,"data":{"a":1},"eventId":"e1","eventType":"Paid","occurredOn":"1970-01-01T00:00:02+00:00"})",
       {}});
  EXPECT_EQ(back->id, "e1");
  EXPECT_EQ(back->type, "Paid");
  EXPECT_EQ(back->version, 4U);
  EXPECT_EQ(back->time_us, 2'000'000);
  EXPECT_EQ(back->data, R"({"a":1})");
  EXPECT_GE(back->data.data(), back->document.data());
  EXPECT_LE(back->data.data() + back->data.size(), back->document.data() + back->document.size());
}

TEST(KafkaMessageTest, ReadsCloudEventsOfBothModes) {
  const std::vector<header> binary{{"ce_id", "b1"},
                                   {"ce_source", "/bank"},
                                   {"ce_type", "Paid"},
                                   {"ce_specversion", "1.0"},
                                   {"ce_time", "1970-01-01T01:00:00.5+01:00"},
                                   {"content-type", "application/json"},
                                   {"ce_region", "eu"}};
  const arrived one({"orders", 0, 1, 9, "k", R"({"amount":3})", binary});
  EXPECT_EQ(one->id, "b1");
  EXPECT_EQ(one->source, "/bank");
  EXPECT_EQ(one->type, "Paid");
  EXPECT_EQ(one->time_us, 500'000);
  EXPECT_EQ(one->data, R"({"amount":3})");
  EXPECT_EQ(one->extra,
            "ce_region\x1f"
            "eu\x1e");

  const arrived other(
      {"orders",
       0,
       1,
       9,
       "k",
       R"({"specversion":"1.0","id":"s1","source":"/bank","type":"Paid","time":"1970-01-01T00:00:01Z","data":5})",
       {}});
  EXPECT_EQ(other->id, "s1");
  EXPECT_EQ(other->source, "/bank");
  EXPECT_EQ(other->type, "Paid");
  EXPECT_EQ(other->time_us, 1'000'000);
  EXPECT_EQ(other->data, "5");
}

TEST(KafkaMessageTest, HandsOnWhatIsNoJsonAndWhatIsEmpty) {
  EXPECT_EQ(arrived({"t", 0, 1, 9, "k", "\x01\x02{", {}})->data, "\x01\x02{");
  EXPECT_EQ(arrived({"t", 0, 1, 9, "k", "", {}})->document, "null");
  EXPECT_EQ(arrived({"t", 0, 1, -1, "k", "", {}})->time_us, 0);
}

TEST(KafkaMessageTest, CutsWhatARecordCantHold) {
  const std::string key(70'000, 'k');
  EXPECT_EQ(arrived({"t", 0, 1, 9, key, "{}", {}})->key.size(), 65'535U);
}

TEST(KafkaMessageTest, TakesNoSequenceThatIsNone) {
  for (const auto* text : {"", "x", "-1", "99999999999999999999", "1 "}) {
    const std::vector<header> headers{{"ce_sequence", text}};
    EXPECT_EQ(arrived({"t", 0, 1, 9, "k", "{}", headers})->sequence, 0U) << text;
  }
}

TEST(KafkaMessageTest, SurvivesCutAndFlippedDocuments) {
  message_layout out;
  out.lay_out(order_created(), "s");
  const std::string whole(out.value());
  for (std::size_t i = 0; i < whole.size(); ++i) {
    const arrived cut({"t", 0, 1, 9, "k", std::string_view(whole).substr(0, i), out.headers()});
    EXPECT_FALSE(cut->data.empty());
    auto flipped = whole;
    flipped[i] = flipped[i] == '"' ? '{' : '"';
    const arrived other({"t", 0, 1, 9, "k", flipped, out.headers()});
    EXPECT_FALSE(other->data.empty());
  }
}

}  // namespace
}  // namespace gantry::bus::kafka
