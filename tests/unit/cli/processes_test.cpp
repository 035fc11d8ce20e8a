// Which processes `gantry run` needs, and what each is told.
#include "cli/processes.hpp"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>

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

// Its file may be another one by now, or none: who is started again understands the parent all the same.
TEST_F(ProcessesTest, AllRunTheProgramThatThisOneIs) {
  const auto members = plan.members();
  ASSERT_TRUE(members.ok());
  for (const auto& m : *members) {
    EXPECT_EQ(m.program, "/proc/self/exe");
    EXPECT_EQ(m.arguments[0], std::filesystem::read_symlink("/proc/self/exe")) << "as people see it";
  }
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

// The kernel's folder of a group, with nothing of the kernel in it.
class LimitsTest : public ProcessesTest {
 protected:
  LimitsTest() {
    for (const char* group : {".", "gantry", "left~payment"}) {
      std::filesystem::create_directories(own / group);
      for (const char* name : {"cgroup.procs", "cgroup.subtree_control", "memory.max", "cpu.max"})
        std::ofstream(own / group / name).flush();
    }
    offer("cpu memory");
  }
  ~LimitsTest() override { std::filesystem::remove_all(own); }

  static std::filesystem::path new_folder() {
    std::string name = ::testing::TempDir() + "processes-limits-XXXXXX";
    return mkdtemp(name.data());
  }
  void offer(const char* controllers) const { std::ofstream(own / "cgroup.controllers") << controllers << "\n"; }
  std::string content(const char* file) const {
    std::ifstream in(own / file);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  static std::string behind(const supervisor::member& of, const std::string& option) {
    const auto at = std::find(of.arguments.begin(), of.arguments.end(), option);
    return at == of.arguments.end() ? "" : *(at + 1);
  }

  const std::filesystem::path own = new_folder();
  const topology::topology limited = topology::parse_topology(
                                         "version: 1\nname: shop\nbus: { driver: local }\nhosts:\n"
                                         "  left: { http: 127.0.0.1:8081 }\nplugins:\n"
                                         "  payment: { hosts: [left], limits: { memory: 64MiB } }\n",
                                         "shop.yaml", topology::process_env)
                                         .model;
  process_plan with_limits{run_arguments{}, limited, {"left"}, own};
};

TEST_F(LimitsTest, GroupsAreTakenBeforeAnythingIsStartedAlsoForWhatMayBeQuarantinedLater) {
  ASSERT_TRUE(with_limits.members().ok());
  EXPECT_EQ(content("gantry/cgroup.procs"), "0");
  EXPECT_EQ(content("cgroup.subtree_control"), "+memory +cpu");
  const auto later = with_limits.members({{"left", {"payment"}}});
  ASSERT_TRUE(later.ok());
  EXPECT_EQ(behind(later->at(1), "--control-group"), (own / "left~payment").string());
}

TEST_F(LimitsTest, AProcessIsToldWhyItHasNoGroup) {
  offer("pids");
  const auto members = with_limits.members({{"left", {"payment"}}});
  ASSERT_TRUE(members.ok());
  EXPECT_EQ(behind(members->at(1), "--control-group"), "");
  EXPECT_NE(behind(members->at(1), "--no-control-group").find("has no controller memory"), std::string::npos);
}

// A host that starts later than the others binds its own port then.
TEST_F(ProcessesTest, TheHostsOwnPortsAreNoInnerAddresses) {
  auto with_admin = model;
  EXPECT_EQ(ports_of(model), (std::set<std::uint16_t>{8081, 8082}));
  with_admin.hosts.at("left").admin.address =
      topology::parse_topology(
          "version: 1\nname: shop\nbus: { driver: local }\nhosts:\n  left: { http: 127.0.0.1:8081, admin: { address: "
          "127.0.0.1:9081 } }\nplugins: {}\n",
          "shop.yaml", topology::process_env)
          .model.hosts.at("left")
          .admin.address;
  EXPECT_EQ(ports_of(with_admin), (std::set<std::uint16_t>{8081, 8082, 9081}));
}

TEST(AskedEndTest, AProcessThatHasNotDrainedBeginsAnewAllTheSame) {
  asked_end asked;
  EXPECT_EQ(asked.code(true), 0);
  EXPECT_EQ(asked.code(false), 1);
  asked.anew();
  EXPECT_EQ(asked.code(true), supervisor::start_anew);
  EXPECT_EQ(asked.code(false), supervisor::start_anew);
}

TEST(AskedEndTest, WhoeverHasLessTimeThanItsOwnDrainsWithinThat) {
  using std::chrono::milliseconds;
  asked_end asked;
  EXPECT_EQ(asked.time_to_drain(milliseconds(30'000)), milliseconds(30'000));
  asked.within(milliseconds(8'000));
  EXPECT_EQ(asked.time_to_drain(milliseconds(30'000)), milliseconds(8'000));
  EXPECT_EQ(asked.time_to_drain(milliseconds(5)), milliseconds(5));
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
