// What a plan says of changes to a running shop, word by word.
#include "plan/plan.hpp"

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <utility>

#include "topology/validate.hpp"

namespace gantry::plan {
namespace {

constexpr const char* one_host = R"(version: 1
name: shop
bus: { driver: local, path: data/bus, sync: 5ms }
stores:
  default: { driver: sqlite, path: "data/{plugin}.db" }
topics:
  order-events: { partitions: 3, retention: 7d }
  stock: { partitions: 2 }
hosts:
  main: { http: 127.0.0.1:8080 }
plugin_path: [plugins]
plugins:
  order: { config: { timeout: 15m, token: "${env:TOKEN}" } }
  stock: { batch: { max: 256 } }
)";

constexpr const char* two_hosts = R"(version: 1
name: shop
bus: { driver: kafka, brokers: "127.0.0.1:9092" }
stores:
  default: { driver: postgres, url: "postgres://db/shop", schema: "{plugin}" }
  own: { driver: sqlite, path: "data/{plugin}.db" }
topics:
  order-events: { partitions: 3 }
  stock: { partitions: 2 }
hosts:
  a: { http: 127.0.0.1:8080 }
  b: { http: 127.0.0.1:8081 }
plugin_path: [plugins]
plugins:
  order: { hosts: [a] }
  stock: { hosts: [a], store: own }
)";

loader::manifest order_at(const std::string& version) {
  loader::manifest m;
  m.id = "order";
  m.version = version;
  m.routes = {{"GET", "/orders/{id}", false}, {"POST", "/orders", true}};
  m.emits = {{"order-events", "OrderCreated", 1, "{}"}};
  m.migrations = {{1, "init", "", "aa"}};
  return m;
}

loader::manifest stock_at(const std::string& version) {
  loader::manifest m;
  m.id = "stock";
  m.version = version;
  m.routes = {{"GET", "/stock/{sku}", false}};
  m.consumes = {{"order-events", "OrderCreated", 1, 1, "event", "earliest"}};
  m.emits = {{"stock", "StockReserved", 1, "{}"}};
  m.replays = {"order-events"};
  return m;
}

found_library file_of(const loader::manifest& promised) {
  return {promised.version + "-of-" + promised.id + "-and-so-on", promised};
}

// A shop that runs by one topology, and is to run by another.
class PlanTest : public testing::Test {
 protected:
  void runs(std::string text) {
    now_ = std::move(text);
    for (auto m : {order_at("1.0.0"), stock_at("1.0.0")}) {
      const auto file = file_of(m);
      libraries_[m.id] = file;
      running_[m.id] = {m.version, 1, file.digest, file.digest, m, {}};
    }
  }
  // In the text that runs.
  std::string edited(const std::string& from, const std::string& to) const {
    auto out = now_;
    const auto at = out.find(from);
    EXPECT_NE(at, std::string::npos) << from;
    return out.replace(at, from.size(), to);
  }
  // The file that the topology names is another one from then on.
  void built(const loader::manifest& next) { libraries_[next.id] = file_of(next); }

  plan planned(const std::string& text, bool force = false) {
    const auto now = parse(now_, "secret-1");
    const auto next = parse(text, next_secret_);
    const auto started = parse(started_.empty() ? now_ : started_, "secret-1");
    std::vector<host_answer> answers;
    topology::manifest_map manifests;
    for (const auto& [id, file] : libraries_)
      if (next.model.plugins.contains(id)) manifests.emplace(id, file.promised);
    for (const auto& [host, settings] : now.model.hosts) {
      host_answer answer;
      answer.host = host;
      answer.problems = next.problems;
      const auto more = topology::validate(next.model, manifests, [](const std::string&) { return true; });
      answer.problems.insert(answer.problems.end(), more.begin(), more.end());
      std::erase_if(answer.problems, [](const auto& p) { return p.level != topology::severity::error; });
      if (!topology::has_errors(answer.problems))
        answer.steps = steps_of(view(host, now.model, next.model, started.model));
      answers.push_back(std::move(answer));
    }
    auto out = make_plan(*now.model.name, text, std::move(answers), {}, force);
    out.hash = "HASH";
    return out;
  }

  // Checks against golden/NAME.txt.
  void expect(const std::string& name, const plan& made, verdict as) {
    EXPECT_EQ(verdict_of(made), as);
    std::ifstream in(std::string(GOLDEN_DIR) + "/" + name + ".txt");
    const std::string golden(std::istreambuf_iterator<char>(in), {});
    EXPECT_EQ(to_text(made), golden) << "golden/" << name << ".txt";
  }

  std::string next_secret_ = "secret-1";
  std::string now_;
  std::map<std::string, running_plugin> running_;
  std::map<std::string, found_library> libraries_;
  std::set<std::string> unlisted_;     // run, though the topology that runs has them not
  std::set<std::string> apart_;        // run in processes of their own
  std::set<std::string> silent_;       // of those, whose process does not answer
  std::set<std::string> still_apart_;  // though the topology that runs has them no more
  std::string started_;                // what the process was started with; empty: now_
  bool can_restart_ = true;

 private:
  static topology::parsed_topology parse(const std::string& text, const std::string& secret) {
    return topology::parse_topology(text, "new.yaml", [secret](const std::string&) { return std::optional(secret); });
  }

  host_view view(const std::string& host, const topology::topology& now, const topology::topology& next,
                 const topology::topology& started) const {
    host_view out;
    out.host = host;
    out.now = &now;
    out.started = &started;
    out.next = &next;
    for (const auto& [id, settings] : now.plugins)
      for (const auto& at : settings.hosts) {
        if (*at != host) continue;
        if (apart_.contains(id)) out.apart.insert(id);
        if (!silent_.contains(id)) out.running[id] = running_.at(id);
      }
    for (const auto& id : unlisted_) out.running[id] = running_.at(id);
    for (const auto& id : still_apart_) {
      out.running[id] = running_.at(id);
      out.apart.insert(id);
    }
    out.can_restart = can_restart_;
    for (const auto& [id, file] : libraries_)
      if (next.plugins.contains(id)) out.libraries[id] = file;
    return out;
  }
};

struct edit_case {
  const char* name;
  const char* golden;
  const char* topology;
  const char* from;
  const char* to;
  verdict as;
};
void PrintTo(const edit_case& c, std::ostream* out) { *out << c.golden; }

class PlanOfAnEdit : public PlanTest, public testing::WithParamInterface<edit_case> {};

TEST_P(PlanOfAnEdit, SaysWhatHappens) {
  const auto& c = GetParam();
  runs(c.topology);
  expect(c.golden, planned(edited(c.from, c.to)), c.as);
}

INSTANTIATE_TEST_SUITE_P(
    OneEdit, PlanOfAnEdit,
    testing::Values(
        edit_case{"ConfigurationIsChangedByASwapOfTheSameFile", "configure", one_host, "timeout: 15m",
                  "timeout: 20m, attempts: 3", verdict::changes},
        edit_case{"SettingsOfTheRuntimeAreAdjusted", "adjust", one_host, "batch: { max: 256 }",
                  "batch: { max: 64 }, poison: skip, stall_after: 2s", verdict::changes},
        edit_case{"APluginIsRemoved", "remove", one_host, "  stock: { batch: { max: 256 } }\n", "", verdict::changes},
        edit_case{"APluginWithAFileMovesBeforeItComes", "move_sqlite", two_hosts, "stock: { hosts: [a]",
                  "stock: { hosts: [b]", verdict::changes},
        edit_case{"APluginWithASharedStoreComesBeforeItLeaves", "move_postgres", two_hosts, "order: { hosts: [a]",
                  "order: { hosts: [b]", verdict::changes},
        edit_case{"ReplicasAreAdded", "replicas", two_hosts, "order: { hosts: [a]", "order: { hosts: [a, b]",
                  verdict::changes},
        edit_case{"ReplicasOnSqliteAreAnErrorWithItsPlace", "replicas_on_sqlite", two_hosts, "stock: { hosts: [a]",
                  "stock: { hosts: [a, b]", verdict::refused},
        edit_case{"AnotherStoreNeedsACopy", "store", two_hosts, ", store: own", "", verdict::refused},
        edit_case{"AnotherBusLeavesEventsBehind", "bus", one_host, "bus: { driver: local, path: data/bus, sync: 5ms }",
                  "bus: { driver: kafka, brokers: \"127.0.0.1:9092\" }", verdict::refused},
        edit_case{"FewerPartitionsAreRefused", "partitions", one_host, "partitions: 3", "partitions: 2",
                  verdict::refused},
        edit_case{"ATopicThatAPluginConsumesCantGo", "topic_removed", one_host,
                  "  order-events: { partitions: 3, retention: 7d }\n", "", verdict::refused},
        edit_case{"ATopicIsMadeAndAnotherKeepsLess", "topics", one_host, "retention: 7d }",
                  "retention: 1d }\n  returns: { partitions: 4 }", verdict::changes},
        edit_case{"AnErrorHasItsLineAndColumn", "error", one_host, "partitions: 2", "partitions: many",
                  verdict::refused},
        edit_case{"IsolationRestartsTheHost", "isolation", one_host, "stock: { batch",
                  "stock: { isolation: process, batch", verdict::changes}),
    [](const auto& of) { return of.param.name; });

TEST_F(PlanTest, TheSameFileIsNothingToDo) {
  runs(one_host);
  expect("nothing", planned("# a remark\n" + now_), verdict::nothing);
}

TEST_F(PlanTest, ARebuiltPluginIsSwapped) {
  runs(one_host);
  auto next = order_at("1.1.0");
  next.migrations.push_back({2, "note", "", "bb"});
  next.migrations.push_back({3, "contract_old", "", "cc"});
  built(next);
  expect("swap", planned(now_), verdict::changes);
}

TEST_F(PlanTest, WhatASwapLeftStays) {
  runs(one_host);
  running_["order"].digest = "sha-of-a-swapped-file";  // its library is still the one it was
  expect("nothing", planned(now_), verdict::nothing);
}

TEST_F(PlanTest, ADowngradeIsRefused) {
  runs(one_host);
  built(order_at("0.9.0"));
  expect("downgrade", planned(now_), verdict::refused);
  expect("downgrade_forced", planned(now_, true), verdict::changes);
}

TEST_F(PlanTest, AnIncompatibleSchemaIsRefused) {
  runs(one_host);
  auto next = order_at("1.1.0");
  next.emits[0].schema = R"({"required":["total"]})";
  built(next);
  expect("schema", planned(now_), verdict::refused);
}

TEST_F(PlanTest, AnEventNobodyCanReadIsAnErrorOfTheNewTopology) {
  runs(one_host);
  auto next = order_at("1.1.0");
  next.emits[0].version = 2;
  built(next);
  expect("event_version", planned(now_), verdict::refused);
}

TEST_F(PlanTest, WhoReadsANewEventVersionIsSwappedBeforeWhoEmitsIt) {
  runs(one_host);
  auto order = order_at("2.0.0");
  order.emits[0].version = 2;
  auto stock = stock_at("2.0.0");
  stock.consumes[0].max_version = 2;
  built(order);
  built(stock);
  expect("swap_in_order", planned(now_), verdict::changes);
}

TEST_F(PlanTest, ANewSubscriptionMayNeedAReplay) {
  runs(one_host);
  auto stock = stock_at("1.1.0");
  stock.consumes.push_back({"order-events", "OrderCancelled", 1, 1, "event", "earliest"});
  stock.consumes.push_back({"stock", "StockReserved", 1, 1, "event", "earliest"});
  auto order = order_at("1.1.0");
  order.emits.push_back({"order-events", "OrderCancelled", 1, "{}"});
  built(stock);
  built(order);
  expect("replay_needed", planned(now_), verdict::changes);
}

TEST_F(PlanTest, AMissingMigrationCannotBeForced) {
  runs(one_host);
  auto next = order_at("1.1.0");
  next.migrations.clear();
  built(next);
  expect("older_schema", planned(now_, true), verdict::refused);
}

TEST_F(PlanTest, AnotherSecretIsNoticedAndNotShown) {
  runs(one_host);
  next_secret_ = "secret-2";
  expect("secret", planned(now_), verdict::changes);
}

TEST_F(PlanTest, APluginIsAdded) {
  runs(one_host);
  auto mail = stock_at("1.0.0");
  mail.id = "mail";
  mail.routes = {{"GET", "/mail", false}};
  mail.emits.clear();
  built(mail);
  expect("add", planned(now_ + "  mail: {}\n"), verdict::changes);
}

TEST_F(PlanTest, APluginThatFailedIsStartedAgain) {
  runs(one_host);
  running_["stock"].error = "stock: start failed";
  expect("failed", planned(now_), verdict::changes);
}

TEST_F(PlanTest, WhatAnApplyThatBrokeOffHasBroughtIsThere) {
  runs(one_host);
  const auto next = now_ + "  mail: {}\n";
  auto mail = stock_at("1.0.0");
  mail.id = "mail";
  mail.routes.clear();
  mail.emits.clear();
  built(mail);
  running_["mail"] = {"1.0.0", 1, libraries_["mail"].digest, libraries_["mail"].digest, mail, {}};
  unlisted_.insert("mail");
  expect("nothing", planned(next), verdict::nothing);
}

TEST_F(PlanTest, ATokenIsNotShown) {
  runs(one_host);
  const auto with = [this](const std::string& token) {
    return edited("127.0.0.1:8080 }", "127.0.0.1:8080, admin: { token: " + token + " } }");
  };
  const auto next = with("tok-2");
  now_ = with("tok-1");
  EXPECT_EQ(to_text(planned(next)).find("tok-"), std::string::npos);
}

TEST_F(PlanTest, WhatConcernsTheProcessRestartsIt) {
  runs(one_host);
  expect("restart", planned(edited("127.0.0.1:8080", "127.0.0.1:9090") + "limits: { body: 2MiB }\n"), verdict::changes);
}

TEST_F(PlanTest, ARestartThatNobodyWouldDoIsImpossible) {
  runs(one_host);
  can_restart_ = false;
  const auto made = planned(now_ + "limits: { body: 2MiB }\n");
  EXPECT_EQ(verdict_of(made), verdict::refused);
  EXPECT_NE(to_text(made).find("nobody would start it again"), std::string::npos) << to_text(made);
}

TEST_F(PlanTest, ATopicKeepsItsEventsUntilAllElseIsDone) {
  runs(one_host);
  now_ = edited("retention: 7d }", "retention: 7d, max_bytes: 2GiB }");
  for (const auto* less : {"retention: 1d, max_bytes: 2GiB }", "retention: 7d, max_bytes: 1GiB }"}) {
    const auto made = planned(edited("retention: 7d, max_bytes: 2GiB }", less) + "limits: { body: 2MiB }\n");
    ASSERT_EQ(made.steps.size(), 2u);
    EXPECT_EQ(made.steps[0].kind, step_kind::restart);
    EXPECT_TRUE(made.steps[1].last) << less;
  }
  const auto more = planned(edited("max_bytes: 2GiB }", "max_bytes: 3GiB }") + "limits: { body: 2MiB }\n");
  EXPECT_EQ(more.steps[0].kind, step_kind::open_topic);
  EXPECT_FALSE(more.steps[0].last);
}

TEST_F(PlanTest, AMoveIsOneForBothOfItsHosts) {
  runs(two_hosts);
  const auto moved = planned(edited("order: { hosts: [a]", "order: { hosts: [b]"));
  ASSERT_EQ(moved.steps.size(), 2u);
  EXPECT_TRUE(moved.steps[0].between_hosts) << "it comes to b";
  EXPECT_TRUE(moved.steps[1].between_hosts) << "a alone would take it from everybody";
}

TEST_F(PlanTest, ReplicasComeAndGoWithoutTheOthers) {
  runs(two_hosts);
  for (const auto& s : planned(edited("order: { hosts: [a]", "order: { hosts: [a, b]")).steps)
    EXPECT_FALSE(s.between_hosts);
  now_ = edited("order: { hosts: [a]", "order: { hosts: [a, b]");
  const auto fewer = planned(edited("order: { hosts: [a, b]", "order: { hosts: [a]"));
  ASSERT_EQ(fewer.steps.size(), 1u);
  EXPECT_FALSE(fewer.steps[0].between_hosts);
}

TEST_F(PlanTest, ASwapNamesTheFileThatWasLookedAt) {
  runs(one_host);
  built(order_at("1.1.0"));
  EXPECT_EQ(planned(now_).steps.at(0).digest, libraries_["order"].digest);
}

TEST_F(PlanTest, AnotherPasswordIsNoOtherServer) {
  runs(two_hosts);
  for (const auto* url : {"postgres://shop:new@db/shop", "postgresql://shop@db:5432/shop?sslmode=require",
                          "host=db dbname=shop user=shop password='n e w'"}) {
    const auto made = planned(edited("postgres://db/shop", url));
    EXPECT_EQ(verdict_of(made), verdict::changes) << to_text(made);
    EXPECT_EQ(made.steps.at(0).kind, step_kind::restart) << url;
    EXPECT_EQ(to_text(made).find("n e w"), std::string::npos);
  }
  for (const auto* url : {"postgres://db2/shop", "postgres://db:5433/shop", "postgres://db/other"})
    EXPECT_EQ(verdict_of(planned(edited("postgres://db/shop", url))), verdict::refused) << url;
}

TEST_F(PlanTest, APluginInAProcessOfItsOwnIsChangedAsAnyOther) {
  runs(one_host);
  now_ = edited("stock: { batch", "stock: { isolation: process, batch");
  apart_.insert("stock");
  const auto adjusted = planned(edited("stock: { isolation", "stock: { swap: { drain: 9s }, isolation"));
  ASSERT_EQ(adjusted.steps.size(), 1u);
  EXPECT_EQ(adjusted.steps[0].kind, step_kind::adjust);
  for (const auto* other :
       {"stock: { poison_after: 9, isolation", "stock: { restart: { max_restarts: 9 }, isolation"}) {
    const auto made = planned(edited("stock: { isolation", other));
    ASSERT_EQ(made.steps.size(), 1u) << other;
    EXPECT_EQ(made.steps[0].kind, step_kind::note);
  }
  built(stock_at("1.1.0"));
  const auto swapped = planned(now_);
  ASSERT_EQ(swapped.steps.size(), 1u);
  EXPECT_EQ(swapped.steps[0].kind, step_kind::swap);
  silent_.insert("stock");
  const auto silent = planned(now_);
  ASSERT_EQ(silent.steps.size(), 1u);
  EXPECT_EQ(silent.steps[0].title, "the process of stock does not answer");
}

// Which processes a host has, and how they are bounded, is settled when its own begins.
TEST_F(PlanTest, ProcessesOfPluginsComeAndGoWithTheHostsOwn) {
  const auto expect_restart = [&](const std::string& text, const std::string& why) {
    const auto made = planned(text);
    ASSERT_EQ(made.steps.size(), 1u) << to_text(made);
    EXPECT_EQ(made.steps[0].kind, step_kind::restart);
    EXPECT_EQ(made.steps[0].why, std::vector{why});
  };
  runs(one_host);
  const auto apart = edited("stock: { batch", "stock: { isolation: process, batch");
  const auto without = edited("  stock: { batch: { max: 256 } }\n", "");
  now_ = without;
  expect_restart(apart, "plugins.stock: it comes, with a process of its own");
  now_ = apart;
  apart_.insert("stock");
  expect_restart(one_host, "plugins.stock.isolation: process -> none");
  expect_restart(edited("isolation: process", "isolation: process, limits: { memory: 64MiB }"),
                 "plugins.stock.limits.memory: 0 -> 67108864");
  expect_restart(without, "plugins.stock: it leaves, and with it its process");
}

TEST_F(PlanTest, APluginWhoseProcessHasNotGoneYetComesHomeWithARestart) {
  runs(one_host);
  now_ = edited("  stock: { batch: { max: 256 } }\n", "");
  still_apart_.insert("stock");
  const auto made = planned(one_host);
  ASSERT_EQ(made.steps.size(), 1u) << to_text(made);
  EXPECT_EQ(made.steps[0].kind, step_kind::restart);
}

TEST_F(PlanTest, ChangingTheIsolationHidesNoOtherFile) {
  runs(one_host);
  built(stock_at("0.9.0"));
  const auto made = planned(edited("stock: { batch", "stock: { isolation: process, batch"));
  EXPECT_EQ(verdict_of(made), verdict::refused) << to_text(made);
}

// What was adopted and not done, because nobody was there any more to ask for the restart.
TEST_F(PlanTest, ARestartThatIsOutstandingIsPlannedAgain) {
  runs(one_host);
  started_ = now_;
  now_ += "limits: { body: 2MiB }\n";
  const auto made = planned(now_);
  ASSERT_EQ(made.steps.size(), 1u) << to_text(made);
  EXPECT_EQ(made.steps[0].kind, step_kind::restart);
}

TEST_F(PlanTest, APluginThatRunsByAnotherConfigurationIsConfigured) {
  runs(one_host);
  running_["order"].settings = "of another configuration";
  const auto made = planned(now_);
  ASSERT_EQ(made.steps.size(), 1u) << to_text(made);
  EXPECT_EQ(made.steps[0].kind, step_kind::configure);
  EXPECT_EQ(made.steps[0].subject, "order");
}

TEST_F(PlanTest, AProcessOfItsOwnDoesNotMoveToAnotherHost) {
  runs(two_hosts);
  const auto apart_on_b = edited("order: { hosts: [a]", "order: { isolation: process, hosts: [b]");
  EXPECT_EQ(verdict_of(planned(apart_on_b)), verdict::refused);
  now_ = edited("order: { hosts: [a]", "order: { isolation: process, hosts: [a]");
  apart_.insert("order");
  EXPECT_EQ(verdict_of(planned(two_hosts)), verdict::changes) << "it stays where it is";
  EXPECT_EQ(verdict_of(planned(apart_on_b)), verdict::refused);
}

TEST_F(PlanTest, AHostThatMayStillRunWhatLeavesItHasToAnswer) {
  auto made = make_plan("shop", "text", {silent_leaver("b", "abc", "data/topology/b.applied")}, {}, true);
  EXPECT_EQ(verdict_of(made), verdict::refused);
  EXPECT_NE(to_text(made).find("remove data/topology/b.applied"), std::string::npos) << to_text(made);
}

TEST_F(PlanTest, AHostThatDoesNotAnswerMayStillRun) {
  const auto made = make_plan("shop", "text", {}, {"b"}, false);
  EXPECT_NE(to_text(made).find("it may still run the former topology"), std::string::npos) << to_text(made);
}

TEST_F(PlanTest, TheHashIsOfAllThatWasSaid) {
  host_answer one{"main", "abc", {}, {}};
  const auto hash = [](std::vector<host_answer> answers, const std::string& text) {
    return make_plan("shop", text, std::move(answers), {}, false).hash;
  };
  const auto before = hash({one}, "text");
  EXPECT_EQ(hash({one}, "text"), before);
  EXPECT_NE(hash({one}, "other text"), before);
  one.applied = "abd";
  EXPECT_NE(hash({one}, "text"), before);
  one.applied = "abc";
  one.steps.push_back({step_kind::swap, "main", "order", "swap order", {}, {}, {}, {}, false});
  EXPECT_NE(hash({one}, "text"), before);
}

TEST_F(PlanTest, AnAnswerSurvivesItsWay) {
  host_answer one{"main", "abc", {}, {}};
  one.problems.push_back(
      topology::make_problem("new.yaml", {3, 7}, topology::severity::error, "bus", "\"x\"", "y", ""));
  one.steps.push_back({step_kind::remove,
                       "main",
                       "order",
                       "remove order 1.0.0",
                       {"why"},
                       {"effect"},
                       {"breaks"},
                       {"side"},
                       true,
                       true,
                       true,
                       "abc"});
  const auto read = read_answer(to_json(one));
  ASSERT_TRUE(read) << read.failure().text;
  EXPECT_EQ(to_json(*read), to_json(one));
  const auto& s = read->steps.at(0);
  EXPECT_TRUE(s.first && s.last && s.between_hosts);
  EXPECT_EQ(s.digest, "abc");
  EXPECT_FALSE(read_answer("{}"));
  EXPECT_FALSE(read_answer("no JSON"));
}

}  // namespace
}  // namespace gantry::plan
