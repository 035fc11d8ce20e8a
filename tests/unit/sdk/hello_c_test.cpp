// The example in C runs on the fake host as well as a plugin in C++.
#include <gtest/gtest.h>
#include <gantry/testing/fake_host.hpp>

namespace {

class HelloC : public ::testing::Test {
 protected:
  void SetUp() override { host_.load(gantry_plugin); }
  gantry::testing::fake_host host_;
};

TEST_F(HelloC, Greets) {
  const auto reply = host_.request("GET", "/hello/ada");
  EXPECT_EQ(reply.status, 200);
  EXPECT_EQ(reply.body, R"({"hello":"ada"})");
  EXPECT_EQ(host_.request("GET", "/hello/%22").status, 400);
}

TEST_F(HelloC, CountsEachOrderOnce) {
  EXPECT_TRUE(host_.deliver("order-events", "OrderConfirmed", "o-1"));
  EXPECT_TRUE(host_.deliver("order-events", "OrderConfirmed", "o-2"));
  EXPECT_TRUE(host_.deliver("order-events", "OrderConfirmed", "o-1"));
  EXPECT_EQ(host_.query("SELECT count(*) FROM orders_seen")[0][0], "2");
}

}  // namespace
