#include "supervisor/supervisor.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

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
    limits.first_pause_us = limits.second_pause_us = 1'000;
    member m;
    m.name = name;
    m.arguments = {"/bin/sh", "-c", script};
    m.limits = limits;
    all.members.push_back(std::move(m));
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

TEST_F(SupervisorTest, WhoWasGivenUpIsTriedAgainAtSighup) {
  const auto mended = ::testing::TempDir() + "supervisor_test_mended." + std::to_string(getpid());
  const auto lived = mended + ".lived";
  const auto given_up = mended + ".given_up";
  add("weak", "trap '' HUP; [ -e \"$0\" ] && touch \"$0.lived\" && exit 0; echo up; exit 3", {.max_restarts = 1});
  add("other",
      "trap '' HUP; until [ -e \"$0.given_up\" ]; do sleep 0.02; done; touch \"$0\"; "
      "until [ -e \"$0.lived\" ]; do kill -HUP $PPID; sleep 0.02; done");
  for (auto& m : all.members) m.arguments.push_back(mended);
  all.after = [&, deaths = 0](const member& of, pid_t, const exit_report& how) mutable {
    if (of.name == "weak" && how.code == 3 && ++deaths == 2) close(open(given_up.c_str(), O_CREAT | O_WRONLY, 0600));
    return aftermath{how.clean()};
  };
  EXPECT_TRUE(run(all)) << "it ends well after all";
  EXPECT_GE(count("weak  | up\n"), 2U);
  for (const auto& file : {mended, lived, given_up}) EXPECT_EQ(unlink(file.c_str()), 0) << file;
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

// It is asked by its member, which the supervisor sees nothing of.
TEST_F(SupervisorTest, WhoDiesWhileAllEndIsNotStartedAgain) {
  const auto mark = ::testing::TempDir() + "supervisor_test_dies_late." + std::to_string(getpid());
  add("main", "trap 'kill -TERM $(cat " + mark + "); while [ -e " + mark +
                  " ]; do sleep 0.02; done; sleep 0.2; exit 0' TERM; echo ready; while :; do sleep 0.02; done");
  add("main~part", "trap 'rm " + mark + "; exit 3' TERM; echo $$ >" + mark +
                       "; echo part-lives; echo ready; while :; do sleep 0.02; done");
  all.members[1].ended_by = "main";
  when_said("ready", 2, SIGTERM);
  EXPECT_FALSE(run(all)) << "it did not drain";
  EXPECT_EQ(count("part-lives"), 1U);
}

// A host whose start fails ends its isolated plugins in order, and then itself.
TEST_F(SupervisorTest, WhoWasEndedByItsMemberIsThereAgainInThatOnesNextLife) {
  const auto mark = ::testing::TempDir() + "supervisor_test_next_life." + std::to_string(getpid());
  add("main", "if [ ! -e " + mark + ".2 ]; then until [ -s " + mark + " ]; do sleep 0.02; done; touch " + mark +
                  ".2; kill -TERM $(cat " + mark + "); while [ -e " + mark + " ]; do sleep 0.02; done; exit 1; fi; " +
                  lives_until_term("main-ends"));
  add("main~part",
      "trap 'rm " + mark + "; exit 0' TERM; echo $$ >" + mark + "; echo part-lives; while :; do sleep 0.02; done");
  all.members[1].ended_by = "main";
  when_said("part-lives", 2, SIGTERM);
  EXPECT_TRUE(run(all));
  EXPECT_EQ(count("part-lives"), 2U);
  unlink((mark + ".2").c_str());
}

// It is asked, once the host itself begins anew without it; what it does not let go of, that life would have to open.
TEST_F(SupervisorTest, WhoIsNotToBeThereInAnotherLifeAndDoesNotEndIsKilledBeforeThatBegins) {
  const auto mark = ::testing::TempDir() + "supervisor_test_hangs." + std::to_string(getpid());
  add("main", "if [ ! -e " + mark + ".2 ]; then until [ -s " + mark + " ]; do sleep 0.02; done; touch " + mark +
                  ".2; exit 75; fi; grep -s State /proc/$(cat " + mark + ")/status; " + lives_until_term("main-ends"));
  add("main~part", "trap '' TERM; echo $$ >" + mark + "; while :; do sleep 0.02; done");
  all.members[1].ended_by = "main";
  all.patience = std::chrono::milliseconds(2000);
  all.after = [&](const member& which, pid_t, const exit_report& how) {
    aftermath out;
    if (which.name == "main" && how.code == start_anew) out.members = {all.members[0]};
    return out;
  };
  when_said("ready", 1, SIGTERM);
  EXPECT_TRUE(run(all)) << "who was killed is none of the family any more";
  EXPECT_EQ(count("State"), 0U) << said;
  EXPECT_EQ(count("main-ends"), 1U);
  unlink(mark.c_str());
  unlink((mark + ".2").c_str());
}

// A program that waits for its signals has not said so yet when the first one comes.
TEST_F(SupervisorTest, WhoIsNotToBeThereIsWaitedForAlsoWhenItsMemberHasDied) {
  const auto mark = ::testing::TempDir() + "supervisor_test_stays." + std::to_string(getpid());
  add("main", "if [ ! -e " + mark + ".2 ]; then until [ -s " + mark + " ]; do sleep 0.02; done; touch " + mark +
                  ".2; exit 3; fi; grep -s State /proc/$(cat " + mark + ")/status; echo alone; exit 0");
  add("main~part", "trap 'sleep 0.3; exit 0' TERM; echo $$ >" + mark + "; while :; do sleep 0.02; done");
  all.members[1].ended_by = "main";
  all.after = [&](const member& which, pid_t, const exit_report& how) {
    aftermath out{how.clean()};
    if (which.name == "main" && how.code == 3) out.members = {all.members[0]};
    return out;
  };
  EXPECT_TRUE(run(all));
  EXPECT_EQ(count("State"), 0U) << said;
  EXPECT_EQ(count("alone"), 1U);
  unlink(mark.c_str());
  unlink((mark + ".2").c_str());
}

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

TEST_F(SupervisorTest, AProgramMayBeRunByAnotherPathThanItsName) {
  add("one", "echo $0");
  all.members[0].program = "/bin/sh";
  all.members[0].arguments = {"its-name", "-c", "cat /proc/$$/cmdline | tr '\\0' ' '; echo"};
  EXPECT_TRUE(run(all));
  EXPECT_EQ(count("its-name -c"), 1U) << said;
}

// A pager that is left alone, a terminal that is held.
TEST_F(SupervisorTest, AReaderWhoStopsKeepsNobodyFromEnding) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  outlet lines(ends[1], [](std::uint64_t) {});
  all.room = &lines;
  add("one", "head -c 300000 /dev/zero | tr '\\0' '\\n'; " + lives_until_term("drained"));
  all.out = [&](std::string_view text) {
    said.append(text);
    lines.put(text);
    if (count("ready") == 1 && std::exchange(ask_at, std::size_t{1}) == 0) kill(getpid(), SIGTERM);
  };
  EXPECT_TRUE(run(all));
  EXPECT_EQ(count("drained"), 1U);
  EXPECT_GE(lines.descriptor(), 0) << "most of it was never read";
  close(ends[0]);
  close(ends[1]);
}

TEST_F(SupervisorTest, AProgramThatIsNotThereIsGivenUp) {
  add("missing", "", {.max_restarts = 1});
  all.members[0].arguments = {"/no/such/program"};
  EXPECT_FALSE(run(all));
  EXPECT_EQ(count("can't be run"), 2U);
}

}  // namespace
}  // namespace gantry::supervisor
