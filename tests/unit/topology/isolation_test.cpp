// Plugins in processes of their own: who they are, and the topology as their processes see it.
#include "topology/isolation.hpp"

#include <gtest/gtest.h>

#include "sample_shop.hpp"

namespace gantry::topology {
namespace {

using plugins = std::set<std::string>;

constexpr const char* text =
    "version: 1\nname: shop\nbus: { driver: local }\nhosts:\n"
    "  main: { http: 0.0.0.0:8443, advertise: shop-1:8443, machine: m1, tls: { cert: c, key: k, ca: a },\n"
    "          admin: { token: secret } }\n"
    "  far: { http: 10.0.0.2:8443, machine: m2 }\n"
    "plugins:\n"
    "  order: { hosts: [main] }\n"
    "  payment: { hosts: [main, far], isolation: process, restart: { max_restarts: 7 }, store: pg }\n"
    "  mail: { hosts: [far], isolation: process }\n";

topology sample() { return parse_topology(text, "shop.yaml", no_env).model; }

std::vector<std::string> hosts_of(const topology& model, const std::string& plugin) {
  std::vector<std::string> out;
  for (const auto& host : model.plugins.at(plugin).hosts) out.push_back(*host);
  return out;
}

TEST(IsolationTest, ANameSaysWhoseProcessItIs) {
  EXPECT_EQ(process_of("main", "payment"), "main~payment");
  EXPECT_EQ(process_of("main", ""), "main");
  EXPECT_EQ(split_process("main~payment").host, "main");
  EXPECT_EQ(split_process("main~payment").plugin, "payment");
  EXPECT_EQ(split_process("main").host, "main");
  EXPECT_EQ(split_process("main").plugin, "");
}

TEST(IsolationTest, NoHostMayHaveAProcessesName) {
  const auto parsed = parse_topology("version: 1\nname: shop\nhosts: { main~payment: {} }\n", "shop.yaml", no_env);
  std::string all;
  for (const auto& one : parsed.problems) all += to_text(one) + "\n";
  EXPECT_TRUE(mentions(all, "found host \"main~payment\", expected letters, digits")) << all;
}

TEST(IsolationTest, IsolatedIsWhatTheTopologySaysAndWhatIsQuarantined) {
  EXPECT_EQ(isolated_on(sample(), "main", {}), plugins{"payment"});
  EXPECT_EQ(isolated_on(sample(), "main", {"order"}), (plugins{"order", "payment"}));
  EXPECT_EQ(isolated_on(sample(), "far", {}), (plugins{"mail", "payment"}));
  EXPECT_EQ(isolated_on(sample(), "far", {"order"}), (plugins{"mail", "payment"})) << "it does not run there";
}

TEST(IsolationTest, APluginMovesToAHostOfItsOwn) {
  const auto model =
      expand_isolation(sample(), "main", {{"main", "127.0.0.1:4001"}, {"main~payment", "127.0.0.1:4002"}});
  EXPECT_EQ(hosts_of(model, "payment"), (std::vector<std::string>{"main~payment", "far"}));
  EXPECT_EQ(hosts_of(model, "order"), std::vector<std::string>{"main"});
  const auto& own = model.hosts.at("main~payment");
  EXPECT_EQ(*own.http, "127.0.0.1:4002");
  EXPECT_EQ(*own.advertise, "127.0.0.1:4002");
  EXPECT_EQ(*own.machine, "m1");
  EXPECT_TRUE(own.tls.given) << "for calls to other hosts";
  EXPECT_TRUE(own.admin.token->empty()) << "only its host asks there";
  EXPECT_EQ(*own.restart.max_restarts, 7U);
  EXPECT_EQ(*model.hosts.at("main").http, "0.0.0.0:8443");
  EXPECT_EQ(*model.bus.owner, "main");
}

TEST(IsolationTest, OtherHostsKeepWhatTheyAreForThisOne) {
  const auto model =
      expand_isolation(sample(), "main", {{"main", "127.0.0.1:4001"}, {"main~payment", "127.0.0.1:4002"}});
  EXPECT_EQ(hosts_of(model, "mail"), std::vector<std::string>{"far"}) << "how far is made is its own affair";
  EXPECT_FALSE(model.hosts.contains("far~mail"));
}

TEST(IsolationTest, AHostOfOneProcessIsAsTheFileSays) {
  const auto model = expand_isolation(sample(), "main", {});
  EXPECT_EQ(hosts_of(model, "payment"), (std::vector<std::string>{"main", "far"}));
  EXPECT_TRUE(model.bus.owner->empty());
  EXPECT_EQ(model.hosts.size(), 2U);
}

TEST(IsolationTest, AnOwnerOfTheBusStaysIt) {
  auto before = sample();
  before.bus.owner.value = "far";
  const auto model = expand_isolation(before, "main", {{"main", "a:1"}, {"main~payment", "a:2"}});
  EXPECT_EQ(*model.bus.owner, "far");
}

}  // namespace
}  // namespace gantry::topology
