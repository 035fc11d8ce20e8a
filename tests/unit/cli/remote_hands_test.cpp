// Hosts that are told the steps of a plan, one of which does not do as it should.
#include "cli/remote_hands.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <map>

#include "plan/applied.hpp"

namespace gantry::cli {
namespace {

using names = std::vector<std::string>;
using plan::step;
using plan::step_kind;

class stepping_clock final : public clock {
 public:
  std::int64_t wall_us() const noexcept override { return us; }
  std::int64_t steady_us() const noexcept override { return us; }
  std::int64_t us = 0;
};

// A host as it answers.
struct fake_host {
  std::string name;
  std::string address;
  std::string system = "shop";
  std::uint64_t process = 1;
  std::string text = "former";
  std::string error;                       // of the last step
  std::string failed;                      // a plugin that has failed; empty: none
  int down = 0;                            // so often the process of payment, which runs apart, does not answer
  std::string receipt = "null";            // of the last step
  bool away = false;                       // nobody answers
  int busy = 0;                            // so often it has something else to do
  int busy_for_back = 0;                   // likewise, when a step is to be taken back
  int silent = 0;                          // so often it does not say how a step is
  std::function<void(fake_host&)> ends{};  // what happens on a restart
  std::function<void(fake_host&)> after_step{};

  std::string rows() {
    std::string out;
    if (!failed.empty()) out = R"({"id":")" + failed + R"(","state":"failed"})";
    if (down > 0 && down-- > 0)
      out += std::string(out.empty() ? "" : ",") + R"({"id":"payment","state":"down","isolation":"process"})";
    return R"({"plugins":[)" + out + "]}";
  }
};

class RemoteHandsTest : public testing::Test {
 protected:
  RemoteHandsTest() {
    asked_.file = "/shop.yaml";
    asked_.text = "new";
    for (const std::string name : {"a", "b", "c"}) {
      hosts_[name].name = name;
      hosts_[name].address = name + ":1";
      const remote_host at{name, name + ":1", {}, {}};
      asked_.hosts[name] = {at, at, at, "former", plan::digest_of_text("former"), 0, "shop"};
    }
  }

  plan::carried_out run(const std::vector<step>& steps) {
    remote_options options;
    options.run = "r";
    options.time = &time_;
    options.wait = [this] { time_.us += 1'000'000; };
    options.ask = [this](const remote_host& host, const std::string& method, const std::string& target,
                         const std::string& body) { return ask(host, method, target, body); };
    remote_hands hands(asked_, options, [this](const std::string& line) { lines_.push_back(line); });
    return plan::carry_out(steps, hands.executor());
  }

  step of(step_kind kind, const std::string& host, const std::string& subject = {}) const {
    step out;
    out.kind = kind;
    out.host = host;
    out.subject = subject;
    out.title = std::string(plan::name_of(kind)) + " " + subject;
    if (kind == step_kind::swap) out.digest = "of-the-file";
    return out;
  }
  bool was_told(const std::string& what) const { return std::ranges::count(told_, what) != 0; }

  std::map<std::string, fake_host> hosts_;
  planning asked_;
  names told_;     // "a swap order", "a adopt - back"
  names targets_;  // of POSTs
  names lines_;

 private:
  static error gone(const std::string& address) { return {errc::unavailable, address + ": Connection refused"}; }

  result<std::string> ask(const remote_host& to, const std::string& method, const std::string& target,
                          const std::string& body) {
    const auto at = std::ranges::find(hosts_, to.address, [](const auto& one) { return one.second.address; });
    if (at == hosts_.end() || at->second.away) return gone(to.address);
    auto& host = at->second;
    if (target == "/admin/topology")
      return R"({"host":")" + host.name + R"(","system":")" + host.system + R"(","file":"/shop.yaml","applied":")" +
             plan::digest_of_text(host.text) + R"(","process":)" + std::to_string(host.process) + "}";
    if (target == "/admin/plugins") return host.rows();
    if (method == "GET") {
      if (host.silent > 0 && host.silent-- > 0) return gone(to.address);
      return R"({"id":"1","running":false,"error":")" + host.error + R"(","receipt":)" + host.receipt + "}";
    }
    auto& busy = target.find("&back=1") == std::string::npos ? host.busy : host.busy_for_back;
    if (busy > 0 && busy-- > 0) return error{errc::conflict, "a step is under way"};
    return step_of(host, target, body);
  }

  result<std::string> step_of(fake_host& host, const std::string& target, const std::string& body) {
    targets_.push_back(target);
    const auto rest = target.substr(std::string_view("/admin/step/").size());
    auto what = rest.substr(0, rest.find('?'));
    std::ranges::replace(what, '/', ' ');
    const bool back = target.find("&back=1") != std::string::npos;
    told_.push_back(host.name + " " + what + (back ? " back" : ""));
    if (what == "adopt -" && host.error.empty()) host.text = body;
    if (what == "restart -" && host.ends) host.ends(host);
    if (!what.starts_with("adopt") && host.after_step) host.after_step(host);
    return std::string(R"({"id":"1","running":true})");
  }

  stepping_clock time_;
};

TEST_F(RemoteHandsTest, StepsSayOfWhichPlanTopologyAndFileTheyAre) {
  ASSERT_TRUE(run({of(step_kind::swap, "a", "order"), of(step_kind::remove, "a", "mail")}));
  EXPECT_EQ(told_, (names{"a swap order", "a adopt -", "b adopt -", "c adopt -", "a remove mail"}));
  EXPECT_NE(targets_[0].find("&run=r&applied=" + plan::digest_of_text("former") + "&digest=of-the-file"),
            std::string::npos)
      << targets_[0];
  EXPECT_NE(targets_[4].find("&applied=" + plan::digest_of_text("new")), std::string::npos) << targets_[4];
}

TEST_F(RemoteHandsTest, AHostThatDoesNotComeBackKeepsNoOtherFromGoingBack) {
  hosts_["a"].ends = [](fake_host& host) { host.away = true; };
  const auto end = run({of(step_kind::restart, "a")});
  ASSERT_FALSE(end);
  EXPECT_FALSE(end.all_taken_back);
  EXPECT_TRUE(was_told("b adopt - back"));
  EXPECT_TRUE(was_told("c adopt - back"));
  EXPECT_NE(end.done.failure().text.find("the topology: a:"), std::string::npos) << end.done.failure().text;
}

TEST_F(RemoteHandsTest, AHostThatMovedIsFoundWhereItWasWhenItGoesBack) {
  asked_.hosts["a"].then.address = "a:2";
  hosts_["a"].ends = [](fake_host& host) {
    ++host.process;
    host.address = host.text == "new" ? "a:2" : "a:1";
  };
  hosts_["b"].ends = [](fake_host& host) { host.away = true; };
  const auto end = run({of(step_kind::swap, "a", "order"), of(step_kind::restart, "a"), of(step_kind::restart, "b")});
  ASSERT_FALSE(end);
  EXPECT_EQ(hosts_["a"].address, "a:1");
  EXPECT_EQ(hosts_["a"].text, "former");
  EXPECT_TRUE(was_told("a swap order back"));
}

// Hosts are called main in most systems.
TEST_F(RemoteHandsTest, AHostOfAnotherSystemAtTheNewAddressIsLeftAlone) {
  hosts_["x"] = {};
  hosts_["x"].name = "a";
  hosts_["x"].address = "a:2";
  hosts_["x"].system = "first";
  hosts_["x"].process = 9;
  asked_.hosts["a"].then.address = "a:2";
  hosts_["a"].ends = [](fake_host& host) { host.away = true; };
  const auto end = run({of(step_kind::restart, "a")});
  ASSERT_FALSE(end);
  EXPECT_EQ(hosts_["x"].text, "former");
  EXPECT_EQ(std::ranges::count_if(told_, [](const auto& what) { return what.starts_with("a "); }), 2)
      << "adopted and restarted, and nobody is there to take it back";
}

TEST_F(RemoteHandsTest, AMomentOfSilenceIsNoFailure) {
  hosts_["a"].silent = 5;
  EXPECT_TRUE(run({of(step_kind::swap, "a", "order")}));
}

TEST_F(RemoteHandsTest, AStepOfWhichNothingIsHeardAnyMoreIsTakenBack) {
  hosts_["a"].silent = 12;
  EXPECT_FALSE(run({of(step_kind::swap, "a", "order")}));
  EXPECT_EQ(told_, (names{"a swap order", "a swap order back"}));
}

TEST_F(RemoteHandsTest, AStepThatHasFailedByItselfIsNot) {
  hosts_["a"].error = "refused";
  EXPECT_FALSE(run({of(step_kind::swap, "a", "order")}));
  EXPECT_EQ(told_, names{"a swap order"});
}

TEST_F(RemoteHandsTest, ABusyHostIsNotWaitedForOnTheWayThere) {
  hosts_["b"].busy = 1;
  ASSERT_FALSE(run({of(step_kind::swap, "a", "order"), of(step_kind::swap, "b", "mail")}));
  EXPECT_EQ(told_, (names{"a swap order", "a swap order back"}));
}

TEST_F(RemoteHandsTest, ABusyHostIsWaitedForOnTheWayBack) {
  hosts_["b"].error = "refused";
  hosts_["a"].busy_for_back = 3;
  const auto end = run({of(step_kind::swap, "a", "order"), of(step_kind::swap, "b", "mail")});
  ASSERT_FALSE(end);
  EXPECT_TRUE(end.all_taken_back);
  EXPECT_TRUE(was_told("a swap order back"));
}

TEST_F(RemoteHandsTest, WhoComesBackWithAnotherTopologyHasNotApplied) {
  hosts_["a"].ends = [](fake_host& host) {
    ++host.process;
    if (host.text == "new") host.text = "edited meanwhile";
  };
  const auto end = run({of(step_kind::restart, "a")});
  ASSERT_FALSE(end);
  EXPECT_NE(end.done.failure().text.find("was edited"), std::string::npos) << end.done.failure().text;
  EXPECT_TRUE(end.all_taken_back);
  EXPECT_EQ(hosts_["a"].text, "former");
}

TEST_F(RemoteHandsTest, WhoComesBackWithoutAPluginHasNotApplied) {
  hosts_["a"].ends = [](fake_host& host) {
    ++host.process;
    host.failed = host.text == "new" ? "order" : "";
  };
  const auto end = run({of(step_kind::restart, "a")});
  ASSERT_FALSE(end);
  EXPECT_NE(end.done.failure().text.find("without order"), std::string::npos) << end.done.failure().text;
  EXPECT_TRUE(end.all_taken_back);
}

TEST_F(RemoteHandsTest, AHostThatHasDiedSinceItsStepsHasNotApplied) {
  hosts_["a"].after_step = [](fake_host& host) { ++host.process; };
  const auto end = run({of(step_kind::configure, "a", "order")});
  ASSERT_FALSE(end);
  EXPECT_NE(end.done.failure().text.find("started anew since"), std::string::npos) << end.done.failure().text;
  EXPECT_TRUE(was_told("a configure order back"));
  EXPECT_EQ(hosts_["b"].text, "former");
}

TEST_F(RemoteHandsTest, AProcessOfAPluginIsWaitedFor) {
  hosts_["a"].ends = [](fake_host& host) {
    ++host.process;
    host.down = 3;
  };
  EXPECT_TRUE(run({of(step_kind::restart, "a")}));
  EXPECT_EQ(hosts_["a"].down, 0);
}

TEST_F(RemoteHandsTest, AProcessThatDoesNotComeUpHasNotApplied) {
  hosts_["a"].ends = [](fake_host& host) {
    ++host.process;
    host.down = host.text == "new" ? 1'000'000 : 0;
  };
  const auto end = run({of(step_kind::restart, "a")});
  ASSERT_FALSE(end);
  EXPECT_NE(end.done.failure().text.find("without the process of payment"), std::string::npos)
      << end.done.failure().text;
  EXPECT_TRUE(end.all_taken_back);
}

TEST_F(RemoteHandsTest, WhatASwapCostIsTold) {
  hosts_["a"].receipt =
      R"({"outcome":"swapped","to":{"version":"1.1.0","generation":2},"lanePauseUs":1500,"heldRequests":3,)"
      R"("work":{"requests":40,"requestErrors":0}})";
  ASSERT_TRUE(run({of(step_kind::swap, "a", "order")}));
  EXPECT_NE(
      std::ranges::find(
          lines_, "  order 1.1.0 is generation 2: its events waited 1.5 ms, 3 requests were held, 0 of 40 failed"),
      lines_.end())
      << testing::PrintToString(lines_);
}

TEST_F(RemoteHandsTest, APluginThatHadFailedBeforeMayFailAgain) {
  hosts_["a"].failed = "order";
  hosts_["a"].ends = [](fake_host& host) { ++host.process; };
  EXPECT_TRUE(run({of(step_kind::restart, "a")}));
}

}  // namespace
}  // namespace gantry::cli
