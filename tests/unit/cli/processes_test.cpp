// Which processes `gantry run` needs, and what each is told.
#include "cli/processes.hpp"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <algorithm>

namespace gantry::cli {
namespace {

using names = std::vector<std::string>;

constexpr const char* text =
    "version: 1\nname: shop\nbus: { driver: local, owner: left }\nhosts:\n"
    "  left: { http: 127.0.0.1:8081 }\n"
    "  right: { http: 127.0.0.1:8082 }\n"
    "plugins:\n"
    "  order: { hosts: [left] }\n"
    "  payment: { hosts: [left], isolation: process, restart: { max_restarts: 9, window: 2m } }\n"
    "  mail: { hosts: [right] }\n";

class ProcessesTest : public ::testing::Test {
 protected:
  static names named(const std::vector<supervisor::member>& members) {
    names out;
    for (const auto& m : members) out.push_back(m.name);
    return out;
  }
  // What stands behind each --inner.
  static names inner(const supervisor::member& of) {
    names out;
    for (std::size_t i = 0; i + 1 < of.arguments.size(); ++i)
      if (of.arguments[i] == "--inner") out.push_back(of.arguments[i + 1]);
    return out;
  }
  static names processes(const names& addresses) {
    names out;
    for (const auto& one : addresses) out.push_back(one.substr(0, one.find('=')));
    return out;
  }

  const topology::topology model = topology::parse_topology(text, "shop.yaml", topology::process_env).model;
  process_plan plan{run_arguments{}, model, {"left", "right"}};
};

TEST_F(ProcessesTest, AHostIsFollowedByItsIsolatedPlugins) {
  const auto members = plan.members();
  ASSERT_TRUE(members.ok()) << members.failure().text;
  EXPECT_EQ(named(*members), (names{"left", "left~payment", "right"}));
  const auto& left = (*members)[0];
  const auto& payment = (*members)[1];
  EXPECT_TRUE(left.ends_last);
  EXPECT_EQ(payment.ended_by, "left");
  EXPECT_FALSE(payment.ends_last);
  EXPECT_EQ(payment.limits.max_restarts, 9U);
  EXPECT_EQ(payment.limits.window_us, 120'000'000);
  EXPECT_EQ(processes(inner(left)), (names{"left", "left~payment"}));
  EXPECT_EQ(inner(payment), inner(left)) << "each knows where all of them are";
  EXPECT_EQ(inner((*members)[2]), names{}) << "a host of one process is as without";
}

TEST_F(ProcessesTest, WhatIsQuarantinedGetsAProcessAndTheOthersKeepTheirAddresses) {
  const auto before = plan.members();
  const auto after = plan.members({{"left", {"order"}}, {"right", {"order"}}});
  ASSERT_TRUE(before.ok() && after.ok());
  EXPECT_EQ(named(*after), (names{"left", "left~order", "left~payment", "right"}));
  for (const auto& address : inner((*before)[0])) {
    const auto all = inner((*after)[0]);
    EXPECT_NE(std::find(all.begin(), all.end(), address), all.end()) << address;
  }
}

TEST_F(ProcessesTest, WhatIsNoAddressIsRefused) {
  const auto read = read_inner({"main=127.0.0.1:1", "main~payment=127.0.0.1:2"});
  ASSERT_TRUE(read.ok());
  EXPECT_EQ(read->at("main~payment"), "127.0.0.1:2");
  for (const auto* wrong : {"main", "=127.0.0.1:1", "main="}) EXPECT_FALSE(read_inner({wrong}).ok()) << wrong;
}

TEST_F(ProcessesTest, AKeyIsGivenToChildrenAndTakenOutOfTheirEnvironment) {
  give_key();
  const auto first = take_key();
  EXPECT_EQ(first.size(), 64U);
  EXPECT_EQ(take_key(), "") << "plugins do not meet it";
  give_key();
  EXPECT_NE(take_key(), first);
}

}  // namespace
}  // namespace gantry::cli
