// Which hosts `gantry run` starts, and which hosts the other commands ask.
#include "cli/hosts.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>

#include "cli/answers.hpp"
#include "cli/processes.hpp"
#include "cli/remote.hpp"

namespace gantry::cli {
namespace {

using names = std::vector<std::string>;

constexpr const char* text =
    "version: 1\nname: shop\nbus: { driver: local, owner: right }\nhosts:\n"
    "  edge: { http: 0.0.0.0:8080, advertise: 127.0.0.1:8080, admin: { token: secret } }\n"
    "  left: { http: 127.0.0.1:8081, machine: m1 }\n"
    "  right: { http: 127.0.0.1:8082, machine: m1, admin: { address: 127.0.0.1:9082 } }\n"
    "  far: { http: 10.0.0.9:8080, machine: m2, tls: { cert: c.pem, key: k.pem, ca: ca.pem } }\n"
    "plugins:\n  order: { hosts: [edge] }\n  stock: { hosts: [left, right] }\n  mail: { hosts: [far] }\n";

class HostsTest : public ::testing::Test {
 protected:
  HostsTest() : file(::testing::TempDir() + "hosts_test." + std::to_string(getpid()) + ".yaml") {
    std::ofstream(file) << text;
    remote.topology = file;
  }
  ~HostsTest() override { std::remove(file.c_str()); }

  static names named(const remote_hosts& hosts) {
    names out;
    for (const auto& h : hosts) out.push_back(h.name);
    return out;
  }

  const std::string file;
  remote_arguments remote;
};

TEST_F(HostsTest, RunTakesTheHostsOfThisMachineAndTheOwnerOfTheBusFirst) {
  const auto model = topology::load_topology(file).model;
  EXPECT_EQ(local_hosts(model, "m1"), (names{"right", "edge", "left"}));
  EXPECT_EQ(local_hosts(model, "m2"), (names{"edge", "far"}));
  EXPECT_EQ(local_hosts(model, "m3"), (names{"edge"}));
}

TEST_F(HostsTest, AHostsProcessGetsTheOptionsOfItsParent) {
  run_arguments with;
  with.topology = "shop.yaml";
  with.log_level = "debug";
  with.drain_timeout_ms = 5;
  EXPECT_EQ(command_of(with, "/bin/gantry", "left", false),
            (names{"/bin/gantry", "run", "--topology", "shop.yaml", "--host", "left", "--log-level", "debug",
                   "--drain-timeout-ms", "5"}));
  EXPECT_EQ(command_of(with, "/bin/gantry", "left", true).back(), "--text");
  with.json = true;
  EXPECT_EQ(command_of(with, "/bin/gantry", "left", true).back(), "--json");
}

TEST_F(HostsTest, WhatConcernsTheBusIsAskedOfAnyHost) {
  EXPECT_EQ(named(find_hosts(remote)), (names{"edge", "far", "left", "right"}));
}

TEST_F(HostsTest, WhatConcernsAPluginIsAskedOfTheHostsThatRunIt) {
  EXPECT_EQ(named(find_hosts(remote, "stock")), (names{"left", "right"}));
  EXPECT_TRUE(find_hosts(remote, "nobody").empty());
}

TEST_F(HostsTest, EachPluginHasSomebodyToAsk) {
  const auto each = find_hosts_of_each(remote);
  ASSERT_EQ(each.size(), 3U);
  EXPECT_EQ(each[0].plugin, "mail");
  EXPECT_EQ(named(each[0].hosts), (names{"far"}));
}

TEST_F(HostsTest, AHostIsAskedWhereItAnswersOperations) {
  const auto all = find_hosts(remote);
  EXPECT_EQ(all[0].address, "127.0.0.1:8080");
  EXPECT_EQ(all[0].token, "secret");
  EXPECT_EQ(all[3].address, "127.0.0.1:9082");
  EXPECT_FALSE(all[0].tls);
  ASSERT_TRUE(all[1].tls);
  EXPECT_EQ(all[1].tls->ca, "ca.pem");
}

TEST_F(HostsTest, ANamedHostAloneIsAsked) {
  remote.host = "left";
  EXPECT_EQ(named(find_hosts(remote)), (names{"left"}));
  EXPECT_EQ(named(find_hosts(remote, "order")), (names{"left"}));
  EXPECT_EQ(find_hosts_of_each(remote).size(), 1U);
  remote.host = "nowhere";
  EXPECT_TRUE(find_hosts(remote).empty());
}

TEST_F(HostsTest, AnAddressOfTheTopologyBringsItsToken) {
  remote.address = "http://127.0.0.1:8080/";
  auto one = find_hosts(remote);
  ASSERT_EQ(one.size(), 1U);
  EXPECT_EQ(one[0].name, "edge");
  EXPECT_EQ(one[0].token, "secret");
  remote.address = "https://127.0.0.1:7777";
  one = find_hosts(remote);
  EXPECT_EQ(one[0].address, "127.0.0.1:7777");
  EXPECT_TRUE(one[0].tls);
}

TEST(AnswersTest, TheAnswersOfSeveralHostsAreOneList) {
  const auto page =
      read_parked(merged_parked({R"({"items":[{"plugin":"a","id":"1","what":"job"}],"truncated":false})",
                                 R"({"items":[{"plugin":"b","id":"2","what":"job"}],"truncated":true})"}));
  ASSERT_TRUE(page);
  ASSERT_EQ(page->items.size(), 2U);
  EXPECT_EQ(page->items[1].plugin, "b");
  EXPECT_TRUE(page->truncated);
}

}  // namespace
}  // namespace gantry::cli
