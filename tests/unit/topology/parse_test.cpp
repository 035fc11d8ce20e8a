#include <gtest/gtest.h>

#include "sample_shop.hpp"

namespace gantry::topology {
namespace {

using namespace std::chrono_literals;

std::string texts(const std::vector<problem>& problems) {
  std::string out;
  for (const problem& each : problems) out += to_text(each) + '\n';
  return out;
}

parsed_topology parsed(const std::string& text) { return parse_topology(text, "t.yaml", no_env); }

constexpr const char* head = "version: 1\nname: shop\nhosts: { main: { http: 127.0.0.1:8080 } }\n";

TEST(GoodTopology, IsReadKeyByKeyAndPassesEveryCheck) {
  auto shop = parse_topology(file_text(GOOD_DIR "/shop.yaml"), "shop.yaml", no_env);
  EXPECT_EQ(texts(shop.problems), "");
  EXPECT_EQ(*shop.model.name, "shop");
  EXPECT_EQ(*shop.model.bus.sync, 5ms);
  EXPECT_EQ(*shop.model.topics.at("order-events").partitions, 3U);
  EXPECT_EQ(*shop.model.topics.at("order-events").retention, 24h * 7);
  EXPECT_EQ((shop.model.topics.at("order-events").partitions.at), (location{7, 31}));
  const plugin_settings& order = shop.model.plugins.at("order");
  EXPECT_EQ(*order.library, "order");
  EXPECT_EQ(*order.store, "default");
  EXPECT_EQ(order.config.json, R"({"reservation_timeout":"15m"})");
  EXPECT_EQ(for_plugin(*shop.model.stores.at("default").path, "order"), "data/order.db");
  EXPECT_EQ(group_of(shop.model, "order"), "order-saga-consumers");
  EXPECT_EQ(group_of(shop.model, "catalog"), "shop.catalog");
  EXPECT_EQ(texts(validate(shop.model, sample_manifests(), [](const std::string&) { return true; })), "");
}

TEST(GoodTopology, TheDefaultFileIsOne) {
  auto shop = load_topology(CONFIG_DIR "/topology.yaml", no_env);
  EXPECT_EQ(texts(shop.problems), "");
  EXPECT_EQ(shop.model.plugins.size(), 6U);
  EXPECT_EQ(texts(validate(shop.model, {}, [](const std::string&) { return true; })), "");
}

TEST(GoodTopology, NeedsLittleWhenThereIsOneHost) {
  auto shop = parsed(std::string(head) + "plugins: { order: {} }\n");
  EXPECT_EQ(texts(shop.problems), "");
  EXPECT_EQ(*shop.model.plugins.at("order").hosts.at(0), "main");
  EXPECT_EQ(*shop.model.stores.at("default").path, "data/{plugin}.db");
  EXPECT_EQ(*shop.model.bus.path, "data/bus");
  EXPECT_EQ(*shop.model.limits.body, 1024U * 1024U);
  EXPECT_FALSE(shop.model.plugins.at("order").library.given);
}

TEST(GoodTopology, ManyHostsOnKafkaWithReplicasOnPostgres) {
  auto shop = parsed(R"(version: 1
name: shop
bus: { driver: kafka, brokers: "kafka-0:9092,kafka-1:9092", replication: 3, min_insync: 2, properties: { linger.ms: 5 } }
stores:
  pg: { driver: postgres, url: "postgres://shop@db/shop", schema: "{plugin}", pool: 8, read_url: "postgres://shop@near/shop", read_max_lag: 3s }
hosts:
  a: { http: 10.0.0.1:8080, machine: one }
  b: { http: 0.0.0.0:8080, advertise: shop-b:8080, machine: two }
plugins:
  catalog: { hosts: [a, b], store: pg, isolation: process, poison: halt, batch: { max: 16 } }
)");
  EXPECT_EQ(texts(shop.problems), "");
  EXPECT_EQ(*shop.model.bus.properties.at("linger.ms"), "5");
  EXPECT_EQ(*shop.model.bus.replication, 3U);
  EXPECT_EQ(*shop.model.bus.min_insync, 2U);
  EXPECT_EQ(*shop.model.stores.at("pg").read_url, "postgres://shop@near/shop");
  EXPECT_EQ(*shop.model.stores.at("pg").read_max_lag, std::chrono::seconds(3));
  EXPECT_EQ(*shop.model.plugins.at("catalog").isolation, isolation_mode::process);
  EXPECT_EQ(*shop.model.plugins.at("catalog").poison, poison_policy::halt);
  EXPECT_EQ(*shop.model.plugins.at("catalog").batch_max, 16U);
  EXPECT_EQ(texts(validate(shop.model, {}, [](const std::string&) { return true; })),
            "t.yaml:10:3: error: plugins.catalog.library: found no file for \"catalog\", expected a directory in "
            "plugin_path\n");
}

TEST(GoodTopology, AReplicaIsSomethingOfPostgres) {
  const auto shop = parsed(R"(version: 1
name: shop
stores:
  default: { driver: sqlite, read_url: "postgres://x/y" }
  pg: { driver: postgres, url: "postgres://x/y", read_max_lag: 1s }
)");
  const auto all = texts(validate(shop.model, {}, [](const std::string&) { return true; }));
  EXPECT_NE(all.find("stores.default.read_url: found a value without effect, expected driver postgres"), std::string::npos) << all;
  EXPECT_NE(all.find("stores.pg.read_max_lag: found a value without effect, expected read_url"), std::string::npos) << all;
}

TEST(Configuration, KeepsTheTypesOfYaml) {
  auto shop = parsed(std::string(head) + R"(plugins:
  order:
    config:
      count: 3
      ratio: -0.5
      on: true
      none: ~
      text: "3"
      code: 007
      version: 1.2.3
      list: [a, 1, { b: "x\"y" }]
)");
  EXPECT_EQ(texts(shop.problems), "");
  EXPECT_EQ(shop.model.plugins.at("order").config.json,
            R"({"count":3,"ratio":-0.5,"on":true,"none":null,"text":"3","code":"007","version":"1.2.3",)"
            R"("list":["a",1,{"b":"x\"y"}]})");
  EXPECT_EQ(shop.model.plugins.at("order").config.places.at("/list/2/b").key, (location{14, 22}));
}

TEST(Configuration, RepeatedKeysAreFoundAtAnyDepth) {
  auto shop = parsed(std::string(head) + "plugins: { order: { config: { a: { b: 1, b: 2 } } } }\n");
  EXPECT_EQ(
      texts(shop.problems),
      "t.yaml:4:42: error: plugins.order.config.a: found key \"b\" again, expected each key once; the first is in "
      "line 4\n");
}

TEST(Library, IsLookedUpByNameOrTakenAsAPath) {
  auto shop = parsed(std::string(head) +
                     "plugin_path: [one, two]\n"
                     "plugins: { a: {}, b: { library: lib/b.so }, c: { library: c.so }, d: { library: ./d } }\n");
  const auto exists = [](const std::string& path) { return path == "two/a.so" || path == "c.so"; };
  EXPECT_EQ(find_library(shop.model, "a", exists).found, "two/a.so");
  EXPECT_EQ(find_library(shop.model, "b", exists).tried, (strings{"lib/b.so"}));
  EXPECT_EQ(find_library(shop.model, "c", exists).found, "c.so");
  EXPECT_EQ(find_library(shop.model, "d", exists).tried, (strings{"./d"}));
}

TEST(Hostile, AliasesDoNotUnfoldWithoutEnd) {
  std::string text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 12; ++i) {
    const std::string before = "*a" + std::to_string(i - 1);
    text += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [" + before;
    for (int j = 0; j < 9; ++j) text += ", " + before;
    text += "]\n";
  }
  EXPECT_TRUE(mentions(texts(parsed(text).problems), "more than 100000 values"));
  EXPECT_TRUE(mentions(texts(parsed("a: &a [*a]\n").problems), "alias inside the value"));
}

TEST(Hostile, DeepNestingControlCharactersAndSecondDocumentsAreRefused) {
  EXPECT_TRUE(has_errors(parsed(std::string(100'000, '[')).problems));
  EXPECT_EQ(texts(parsed("version: 1\nna\x01me: x\n").problems),
            "t.yaml:2:3: error: the file: found a control character, expected one YAML document\n");
  EXPECT_TRUE(mentions(texts(parsed("version: 1\n---\nversion: 1\n").problems), "a second document"));
  EXPECT_TRUE(has_errors(parsed("").problems));
  EXPECT_TRUE(has_errors(parsed("[1, 2]").problems));
}

TEST(GoodTopology, AHostSaysHowOftenItsProcessIsStartedAgain) {
  const auto shop = parsed(
      "version: 1\nname: shop\nhosts:\n  a: { restart: { max_restarts: 9, window: 2m } }\n"
      "  b: { http: 127.0.0.1:8081 }\nplugins: { p: { hosts: [a] } }\n");
  EXPECT_EQ(texts(shop.problems), "");
  EXPECT_EQ(*shop.model.hosts.at("a").restart.max_restarts, 9U);
  EXPECT_EQ(*shop.model.hosts.at("a").restart.window, 2min);
  EXPECT_EQ(*shop.model.hosts.at("b").restart.max_restarts, 5U);
  EXPECT_EQ(*shop.model.hosts.at("b").restart.window, 1min);
}

TEST(Problems, AreJsonToo) {
  const auto shop = parsed("version: 2\nname: shop\nhosts: { main: {} }\nplugins: { a: {} }\n");
  EXPECT_EQ(to_json(shop.problems),
            R"([{"file":"t.yaml","line":1,"column":10,"severity":"error","subject":"version","found":"number 2",)"
            R"("expected":"a whole number from 1 to 1","suggestion":"",)"
            R"("message":"version: found number 2, expected a whole number from 1 to 1"}])");
}

TEST(Problems, AFileThatIsMissingIsOne) {
  const auto shop = load_topology("/nowhere/topology.yaml", no_env);
  EXPECT_EQ(
      texts(shop.problems),
      "/nowhere/topology.yaml: error: found No such file or directory, expected a topology file that this process "
      "may read\n");
}

TEST(Files, ADirectoryIsAProblem) {
  const auto shop = load_topology(GOOD_DIR, no_env);
  EXPECT_EQ(texts(shop.problems), std::string(GOOD_DIR) +
                                      ": error: found Is a directory, expected a topology file that this process may "
                                      "read\n");
}

}  // namespace
}  // namespace gantry::topology
