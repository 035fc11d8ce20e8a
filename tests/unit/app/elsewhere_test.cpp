#include "app/elsewhere.hpp"

#include "three_hosts.hpp"

namespace gantry::app {
namespace {

TEST(ElsewhereTest, EachPluginIsPlacedOnItsOtherHosts) {
  const auto where = placed_elsewhere(three_hosts(), "edge");
  const call::placement expected = {
      {"stock", {{"left", "left.shop:8081", false, {}}, {"right", "127.0.0.1:8082", false, {}}}},
      {"mail", {{"right", "127.0.0.1:8082", false, {}}}}};
  EXPECT_EQ(where, expected);
}

TEST(ElsewhereTest, AHostWithTlsIsAskedWithTls) {
  const auto model = three_hosts(", tls: { cert: c.pem, key: k.pem, ca: ca.pem }");
  EXPECT_TRUE(placed_elsewhere(model, "edge").at("mail").front().tls);
  const auto options = remote_options_of(model, "edge", 10);
  EXPECT_EQ(options.tls.cert, "c.pem");
  EXPECT_EQ(options.tls.key, "k.pem");
  EXPECT_EQ(options.tls.ca, "ca.pem");
}

TEST(ElsewhereTest, ThereIsAConnectionForEachThreadThatMayCall) {
  EXPECT_EQ(remote_options_of(three_hosts(), "edge", 500).max_connections, 500U);
  EXPECT_EQ(remote_options_of(three_hosts(), "edge", 1).max_connections, 64U);
}

TEST(ElsewhereTest, WhatRunsOnOneHostIsNowhereElse) {
  EXPECT_FALSE(placed_elsewhere(three_hosts(), "edge").contains("order"));
}

}  // namespace
}  // namespace gantry::app
