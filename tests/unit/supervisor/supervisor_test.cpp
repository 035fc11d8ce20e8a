#include "supervisor/supervisor.hpp"

#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>

namespace gantry::supervisor {
namespace {

// Real processes: what they do is a line of shell.
class SupervisorTest : public ::testing::Test {
 protected:
  SupervisorTest() {
    all.out = [this](std::string_view lines) {
      said.append(lines);
      if (!ask_when.empty() && count(ask_when) == ask_at) {
        ask_when.clear();
        kill(getpid(), ask_with);
      }
    };
  }

  void add(const std::string& name, const std::string& script, restart_limits limits = {}) {
    limits.first_pause_us = 1'000;
    all.members.push_back({name, {"/bin/sh", "-c", script}, limits, false, false});
  }

  // Sends us the signal once this line has come so often.
  void when_said(const std::string& line, std::size_t times, int signal) {
    ask_when = line;
    ask_at = times;
    ask_with = signal;
  }

  std::size_t count(const std::string& line) const {
    std::size_t n = 0;
    for (auto at = said.find(line); at != std::string::npos; at = said.find(line, at + 1)) ++n;
    return n;
  }

  static std::string lives_until_term(const std::string& last_words) {
    return "trap 'echo " + last_words + "; exit 0' TERM; echo ready; while :; do sleep 0.02; done";
  }

  family all;
  std::string said;
  std::string ask_when;
  std::size_t ask_at = 0;
  int ask_with = SIGTERM;
};

TEST_F(SupervisorTest, MembersThatEndWellAreNotStartedAgain) {
  add("one", "echo hello");
  add("two", "echo hello >&2");
  EXPECT_TRUE(run(all));
  EXPECT_EQ(count("one | hello\n"), 1U);
  EXPECT_EQ(count("two | hello\n"), 1U);
}

TEST_F(SupervisorTest, AMemberThatDiesIsStartedAgainUntilItHasDiedTooOften) {
  add("weak", "echo up; exit 3", {.max_restarts = 2});
  add("strong", "echo up");
  EXPECT_FALSE(run(all));
  EXPECT_EQ(count("weak   | up\n"), 3U);
  EXPECT_EQ(count("strong | up\n"), 1U);
}

TEST_F(SupervisorTest, AMemberThatIsKilledIsStartedAgain) {
  add("killed", "[ -e \"$0\" ] && exit 0; touch \"$0\"; kill -9 $$");
  const auto mark = ::testing::TempDir() + "supervisor_test_mark." + std::to_string(getpid());
  all.members[0].arguments.push_back(mark);
  EXPECT_TRUE(run(all));
  EXPECT_EQ(unlink(mark.c_str()), 0);
}

TEST_F(SupervisorTest, SigtermEndsAllAndWaitsForThem) {
  add("one", lives_until_term("drained"));
  add("two", lives_until_term("drained"));
  when_said("ready", 2, SIGTERM);
  EXPECT_TRUE(run(all));
  EXPECT_EQ(count("drained"), 2U);
}

TEST_F(SupervisorTest, SigintIsPassedOnAsSigterm) {
  add("one", lives_until_term("drained"));
  when_said("ready", 1, SIGINT);
  EXPECT_TRUE(run(all));
  EXPECT_EQ(count("drained"), 1U);
}

TEST_F(SupervisorTest, SighupIsPassedOn) {
  add("one", "trap 'echo reloads; exit 0' HUP; echo ready; while :; do sleep 0.02; done");
  when_said("ready", 1, SIGHUP);
  EXPECT_TRUE(run(all));
  EXPECT_EQ(count("reloads"), 1U);
}

TEST_F(SupervisorTest, WhoTheOthersNeedEndsLast) {
  add("owner", lives_until_term("owner-ends"));
  add("guest", "trap 'sleep 0.1; echo guest-ends; exit 0' TERM; echo ready; while :; do sleep 0.02; done");
  all.members[0].ends_last = true;
  when_said("ready", 2, SIGTERM);
  EXPECT_TRUE(run(all));
  EXPECT_LT(said.find("guest-ends"), said.find("owner-ends"));
  EXPECT_EQ(count("owner-ends"), 1U);
}

// As a host ends the processes of its isolated plugins: they end before it does, and after others.
TEST_F(SupervisorTest, WhoIsEndedByAnotherMemberIsNotAskedBeforeIt) {
  const auto mark = ::testing::TempDir() + "supervisor_test_ended_by." + std::to_string(getpid());
  add("main", "trap 'kill -TERM $(cat " + mark + "); while [ -e " + mark +
                  " ]; do sleep 0.02; done; echo main-ends; exit 0' TERM; echo ready; while :; do sleep 0.02; done");
  add("main~part", "trap 'echo part-ends; rm " + mark + "; exit 0' TERM; echo $$ >" + mark +
                       "; echo ready; while :; do sleep 0.02; done");
  add("other", "trap 'sleep 0.1; echo other-ends; exit 0' TERM; echo ready; while :; do sleep 0.02; done");
  all.members[0].ends_last = true;
  all.members[1].ended_by = "main";
  when_said("ready", 3, SIGTERM);
  EXPECT_TRUE(run(all));
  EXPECT_LT(said.find("other-ends"), said.find("part-ends"));
  EXPECT_LT(said.find("part-ends"), said.find("main-ends"));
  EXPECT_EQ(count("part-ends"), 1U);
}

TEST_F(SupervisorTest, WhoWasNotAskedByTheMemberThatShouldHaveIsAskedWhenThatHasEnded) {
  add("main", lives_until_term("main-ends"));
  add("main~part", lives_until_term("part-ends"));
  all.members[1].ended_by = "main";
  when_said("ready", 2, SIGTERM);
  EXPECT_TRUE(run(all));
  EXPECT_LT(said.find("main-ends"), said.find("part-ends"));
}

// A program that waits for its signals has not said so yet when the first one comes.
TEST_F(SupervisorTest, ASignalThatComesBeforeAMemberWaitsForItIsKept) {
  add("slow", "echo loads; until grep -q '^ShdPnd:.*[1-9a-f]' /proc/$$/status; do :; done; echo kept");
  all.members[0].arguments[0] = "/bin/bash";  // which, unlike others, leaves blocked what it finds blocked
  all.members[0].waits_for_signals = true;
  when_said("loads", 1, SIGTERM);
  EXPECT_TRUE(run(all));
  EXPECT_EQ(count("kept"), 1U);
}

TEST_F(SupervisorTest, AMemberThatDoesNotDrainWellIsSaid) {
  add("one", "trap 'exit 1' TERM; echo ready; while :; do sleep 0.02; done");
  when_said("ready", 1, SIGTERM);
  EXPECT_FALSE(run(all));
}

TEST_F(SupervisorTest, AMemberThatDoesNotEndIsKilled) {
  add("deaf", "trap '' TERM; echo ready; while :; do sleep 0.02; done");
  all.patience = std::chrono::milliseconds(50);
  when_said("ready", 1, SIGTERM);
  EXPECT_FALSE(run(all));
}

TEST_F(SupervisorTest, AProgramThatIsNotThereIsGivenUp) {
  add("missing", "", {.max_restarts = 1});
  all.members[0].arguments = {"/no/such/program"};
  EXPECT_FALSE(run(all));
  EXPECT_EQ(count("can't be run"), 2U);
}

}  // namespace
}  // namespace gantry::supervisor
