#include "loyalty.hpp"

#include <gtest/gtest.h>
#include <gantry/testing/fake_host.hpp>

class LoyaltyTest : public ::testing::Test {
 protected:
  void SetUp() override { host_.load<loyalty>("loyalty"); }

  gantry::outcome confirm(std::string_view order, std::string_view customer, int total) {
    return host_.deliver("order-events", "OrderConfirmed", order, {{"customerId", customer}, {"total", total}});
  }
  std::int64_t points_of(const std::string& customer) {
    return host_.request("GET", "/points/" + customer).json()["points"].integer(-1);
  }

  gantry::testing::fake_host host_;
};

TEST_F(LoyaltyTest, PointsOfConfirmedOrdersAddUp) {
  EXPECT_TRUE(confirm("order-1", "ada", 2550));
  EXPECT_TRUE(confirm("order-2", "ada", 1000));
  EXPECT_TRUE(confirm("order-3", "bob", 99));
  EXPECT_EQ(points_of("ada"), 35);
  EXPECT_EQ(points_of("bob"), 0);
}

TEST_F(LoyaltyTest, EveryAwardIsTold) {
  EXPECT_TRUE(confirm("order-1", "ada", 2550));
  ASSERT_EQ(host_.emitted().size(), 1U);
  EXPECT_EQ(host_.emitted()[0].type, "PointsAwarded");
  EXPECT_EQ(host_.emitted()[0].key, "ada");
  EXPECT_EQ(host_.emitted()[0].data, R"({"customerId":"ada","orderId":"order-1","earned":25,"points":25})");
}

TEST_F(LoyaltyTest, AnUnknownCustomerIsNotFound) {
  const auto reply = host_.request("GET", "/points/nobody");
  EXPECT_EQ(reply.status, 404);
  EXPECT_EQ(reply.header("content-type"), "application/problem+json");
  EXPECT_EQ(reply.json()["type"].text(), "/problems/not-found");
}

TEST_F(LoyaltyTest, AnOrderWithoutTotalIsPoison) {
  const auto answer = host_.deliver("order-events", "OrderConfirmed", "order-1", {{"customerId", "ada"}});
  EXPECT_EQ(answer.status(), GANTRY_REJECT);
  EXPECT_TRUE(host_.emitted().empty());
}
