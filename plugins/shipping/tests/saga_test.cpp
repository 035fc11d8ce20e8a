// The order saga's side of shipping: commands, repetitions, tombstones.
#include <gtest/gtest.h>

#include <gantry/testing/fake_host.hpp>

#include "domain/identity.hpp"
#include "plugin.hpp"

namespace shipping {
namespace {

const std::string order = "0194f0c2-1111-7000-8000-00000000abcd";

class SagaTest : public testing::Test {
 protected:
  void start(std::string_view config = "{}") { host_.load<shipping_plugin>("shipping", config); }

  gantry::outcome create(std::string_view country = "DE", std::string_view order_id = order) {
    return host_.deliver("shipping-commands", "CreateShipment", order_id,
                         gantry::json{{"orderId", order_id},
                                      {"customerId", "c-1"},
                                      {"lines", gantry::json::raw(R"([{"sku":"TEA-1","quantity":2}])")},
                                      {"shippingAddress", {{"name", "Ada"}, {"country", country}}}});
  }
  gantry::outcome cancel() {
    return host_.deliver("shipping-commands", "CancelShipment", order,
                         gantry::json{{"orderId", order}, {"reason", "customer"}});
  }
  // The one event since the last look; its data stays valid until the next.
  gantry::json_view event(std::string_view type) {
    emitted_ = host_.take_emitted();
    if (emitted_.size() != 1 || emitted_[0].type != type) {
      ADD_FAILURE() << "expected one " << type << ", found " << emitted_.size() << " events"
                    << (emitted_.empty() ? "" : ", first " + emitted_[0].type);
      return {};
    }
    EXPECT_EQ(emitted_[0].topic, "shipping-events");
    EXPECT_EQ(emitted_[0].key, order);
    data_ = gantry::json_document::parse(emitted_[0].data);
    return data_.root();
  }

  gantry::testing::fake_host host_;
  std::vector<gantry::testing::emitted_event> emitted_;
  gantry::json_document data_;
};

TEST_F(SagaTest, AnOrderGetsAShipmentWithTheCheapestCarrier) {
  start();
  ASSERT_TRUE(create());
  const auto data = event("ShipmentCreated");
  EXPECT_EQ(data["shipmentId"].text(), shipment_id_of(order));
  EXPECT_EQ(data["orderId"].text(), order);
  EXPECT_EQ(data["customerId"].text(), "c-1");
  EXPECT_EQ(data["carrier"].text(), "parcel");
  EXPECT_EQ(data["trackingNumber"].text().size(), 16U);
}

TEST_F(SagaTest, ACommandThatComesAgainGetsTheSameAnswer) {
  start();
  ASSERT_TRUE(create());
  const std::string first(event("ShipmentCreated").raw());
  ASSERT_TRUE(create());
  EXPECT_EQ(event("ShipmentCreated").raw(), first);
  EXPECT_EQ(host_.query("SELECT COUNT(*) FROM shipment")[0][0], "1");
}

TEST_F(SagaTest, ADestinationThatNobodyServesFails) {
  start(R"({"unservable_countries":["NZ"]})");
  ASSERT_TRUE(create("NZ"));
  EXPECT_EQ(event("ShipmentFailed")["reason"].text(), "no carrier serves NZ");
  ASSERT_TRUE(create("NZ"));
  EXPECT_EQ(event("ShipmentFailed")["reason"].text(), "no carrier serves NZ");
}

TEST_F(SagaTest, AnAddressWithoutACountryFails) {
  start();
  ASSERT_TRUE(create("Atlantis"));
  EXPECT_EQ(event("ShipmentFailed")["reason"].text(), "the address names no ISO 3166-1 country, found \"Atlantis\"");
}

TEST_F(SagaTest, ACommandWithoutAnOrderIsParked) {
  start();
  const auto outcome = host_.deliver("shipping-commands", "CreateShipment", "x", gantry::json{{"lines", 1}});
  EXPECT_EQ(outcome.status(), GANTRY_REJECT);
  EXPECT_EQ(host_.deliver("shipping-commands", "CancelShipment", "x").status(), GANTRY_REJECT);
  EXPECT_TRUE(host_.emitted().empty());
}

TEST_F(SagaTest, ACancelledShipmentStaysCancelled) {
  start();
  ASSERT_TRUE(create());
  host_.take_emitted();
  ASSERT_TRUE(cancel());
  EXPECT_EQ(event("ShipmentCancelled")["shipmentId"].text(), shipment_id_of(order));
  ASSERT_TRUE(cancel());
  EXPECT_EQ(event("ShipmentCancelled")["shipmentId"].text(), shipment_id_of(order));
  ASSERT_TRUE(create());
  EXPECT_EQ(event("ShipmentFailed")["reason"].text(), "cancelled");
}

TEST_F(SagaTest, CancellingTheUnknownLeavesATombstoneThatRefusesTheLateCommand) {
  start();
  ASSERT_TRUE(cancel());
  EXPECT_EQ(event("ShipmentCancelled")["shipmentId"].text(), "");
  ASSERT_TRUE(create());
  EXPECT_EQ(event("ShipmentFailed")["reason"].text(), "cancelled");
  ASSERT_TRUE(cancel());
  EXPECT_EQ(event("ShipmentCancelled")["shipmentId"].text(), "");
  EXPECT_EQ(host_.request("GET", "/shipping/shipments/" + shipment_id_of(order)).status, 404);
}

TEST_F(SagaTest, AFailedShipmentCanBeCancelled) {
  start(R"({"unservable_countries":["NZ"]})");
  ASSERT_TRUE(create("NZ"));
  host_.take_emitted();
  ASSERT_TRUE(cancel());
  EXPECT_EQ(event("ShipmentCancelled")["shipmentId"].text(), "");
}

TEST_F(SagaTest, WhatHasLeftIsNotCancelledAndAPersonReadsOfIt) {
  start();
  ASSERT_TRUE(create());
  ASSERT_EQ(host_.request("POST", "/shipping/shipments/" + shipment_id_of(order) + "/dispatch").status, 200);
  host_.take_emitted();
  ASSERT_TRUE(cancel());
  EXPECT_TRUE(host_.take_emitted().empty());
  ASSERT_FALSE(host_.log().empty());
  EXPECT_EQ(host_.log().back().level, GANTRY_LOG_WARN);
  // The saga may still ask for what it had.
  ASSERT_TRUE(create());
  event("ShipmentCreated");
}

TEST_F(SagaTest, OrdersThatAreNoUuidsWorkAsWell) {
  start();
  ASSERT_TRUE(create("DE", "o-1"));
  EXPECT_EQ(host_.request("GET", "/shipping/shipments/s-o-1").status, 200);
}

}  // namespace
}  // namespace shipping
