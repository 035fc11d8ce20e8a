// Events as bytes.
#include "bus/record.hpp"

#include <gtest/gtest.h>

namespace gantry::bus {
namespace {

record order_created() {
  record r;
  r.time_us = 1'700'000'000'123'456;
  r.sequence = 42;
  r.version = 3;
  r.key = "order-1";
  r.type = "OrderCreated";
  r.id = "0190c0de-0000-7000-8000-000000000001";
  r.correlation_id = "c1";
  r.causation_id = "c0";
  r.traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  r.data = R"({"total":12})";
  return r;
}

TEST(RecordTest, ComesBackAsItWent) {
  const auto r = order_created();
  std::string bytes;
  encode(r, bytes);
  EXPECT_EQ(bytes.size(), encoded_size(r));
  std::string_view left = bytes;
  const auto back = decode(left);
  ASSERT_TRUE(back);
  EXPECT_TRUE(left.empty());
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
}

TEST(RecordTest, TheDocumentIsPutTogetherFromTheFields) {
  std::string out;
  append_document(order_created(), out);
  EXPECT_EQ(out,
            R"({"eventId":"0190c0de-0000-7000-8000-000000000001","occurredOn":"2023-11-14T22:13:20.123456Z",)"
            R"("eventType":"OrderCreated","aggregateId":"order-1","version":3,"data":{"total":12}})");
}

TEST(RecordTest, AForeignDocumentStaysAsItCame) {
  auto r = order_created();
  const std::string_view document = R"({ "data" : {"total":12}, "more": true })";
  r.document = document;
  r.data = document.substr(11, 12);
  ASSERT_EQ(r.data, R"({"total":12})");
  std::string bytes;
  encode(r, bytes);
  EXPECT_EQ(bytes.size(), encoded_size(r));
  std::string_view left = bytes;
  const auto back = decode(left);
  ASSERT_TRUE(back);
  EXPECT_EQ(back->document, document);
  EXPECT_EQ(back->data, r.data);
  std::string out;
  append_document(*back, out);
  EXPECT_EQ(out, document);
}

TEST(RecordTest, DataBeyondItsDocumentIsCorrupt) {
  auto r = order_created();
  const std::string_view document = R"({"data":12})";
  r.document = document;
  r.data = document.substr(8, 2);
  std::string bytes;
  encode(r, bytes);
  bytes[32] = 10;  // data_at: 10 + 2 is beyond 11
  std::string_view left = bytes;
  EXPECT_EQ(decode(left).failure().code, errc::corrupt);
}

TEST(RecordTest, AreTakenOneByOne) {
  std::string bytes;
  for (std::uint64_t i = 1; i <= 3; ++i) {
    auto r = order_created();
    r.sequence = i;
    encode(r, bytes);
  }
  std::string_view left = bytes;
  for (std::uint64_t i = 1; i <= 3; ++i) EXPECT_EQ(decode(left)->sequence, i);
  EXPECT_TRUE(left.empty());
}

TEST(RecordTest, CutAnywhereIsCorrupt) {
  std::string bytes;
  encode(order_created(), bytes);
  for (std::size_t n = 0; n < bytes.size(); ++n) {
    auto left = std::string_view(bytes).substr(0, n);
    const auto got = decode(left);
    ASSERT_FALSE(got) << "cut at " << n;
    EXPECT_EQ(got.failure().code, errc::corrupt);
  }
}

TEST(RecordTest, LengthsThatDoNotAddUpAreCorrupt) {
  std::string bytes;
  encode(order_created(), bytes);
  bytes[24] = static_cast<char>(bytes[24] + 1);  // the data's length
  std::string_view left = bytes;
  EXPECT_EQ(decode(left).failure().code, errc::corrupt);
}

}  // namespace
}  // namespace gantry::bus
