#include "call/remote/replicas.hpp"

#include <gtest/gtest.h>

namespace gantry::call {
namespace {

class ReplicasTest : public testing::Test {
 protected:
  ReplicasTest() {
    replica_list list;
    for (const auto* name : {"a", "b", "c"}) {
      auto one = std::make_shared<replica>();
      one->host.name = name;
      list.push_back(std::move(one));
    }
    set = std::make_unique<replica_set>(std::move(list));
  }
  replica& host(std::size_t i) { return *set->all()[i]; }
  std::string pick() {
    const auto got = set->pick(tried, now_us);
    return got.who == nullptr ? "" : got.who->host.name;
  }
  std::string picks(int count) {
    std::string all;
    for (int i = 0; i < count; ++i) all += pick();
    return all;
  }

  std::unique_ptr<replica_set> set;
  std::vector<replica*> tried;
  std::int64_t now_us = 1'000'000'000;
};

TEST_F(ReplicasTest, TakeTurns) { EXPECT_EQ(picks(6), "abcabc"); }

TEST_F(ReplicasTest, LeaveOutOneThatIsDown) {
  host(1).report(verdict::down, now_us, now_us);
  EXPECT_EQ(picks(6).find('b'), std::string::npos);
}

TEST_F(ReplicasTest, ProbeOneAfterItsPauseWithASingleCall) {
  host(1).report(verdict::down, now_us, now_us);
  now_us += replica::first_pause_us;
  const auto all = picks(9);
  EXPECT_EQ(std::count(all.begin(), all.end(), 'b'), 1) << all;
  host(1).report(verdict::good, now_us, now_us);
  EXPECT_EQ(picks(3).size(), 3U);
  EXPECT_NE(picks(3).find('b'), std::string::npos);
}

TEST_F(ReplicasTest, PauseLongerEachTime) {
  std::int64_t before = 0;
  for (int i = 0; i < 4; ++i) {
    host(1).report(verdict::down, now_us, now_us);
    const auto pause = host(1).paused_until_us - now_us;
    EXPECT_EQ(pause, before == 0 ? replica::first_pause_us : 2 * before);
    before = pause;
    now_us += pause;
  }
  for (int i = 0; i < 40; ++i) host(1).report(verdict::down, now_us, now_us);
  EXPECT_EQ(host(1).paused_until_us - now_us, replica::longest_pause_us);
}

TEST_F(ReplicasTest, PauseOnceForCallsThatFailTogether) {
  host(1).report(verdict::down, now_us - 10, now_us);
  for (int i = 0; i < 50; ++i) host(1).report(verdict::down, now_us - 10, now_us + 5);
  EXPECT_EQ(host(1).paused_until_us - now_us, replica::first_pause_us);
}

TEST_F(ReplicasTest, AreAskedInSpiteOfTheirPauseWhenNoneIsLeft) {
  for (std::size_t i = 0; i < 3; ++i) host(i).report(verdict::down, now_us, now_us);
  const auto got = set->pick(tried, now_us);
  ASSERT_NE(got.who, nullptr);
  EXPECT_FALSE(got.healthy);
}

TEST_F(ReplicasTest, AreNotAskedBehindAnOpenBreaker) {
  for (int i = 0; i < 5; ++i)
    for (std::size_t k = 0; k < 3; ++k) host(k).report(verdict::down, now_us, now_us);
  EXPECT_EQ(pick(), "");
  now_us += breaker::open_us;
  // One probe each, and no more until they report.
  auto all = picks(4);
  std::sort(all.begin(), all.end());
  EXPECT_EQ(all, "abc");
  host(0).report(verdict::undecided, now_us, now_us);
  now_us += replica::longest_pause_us;
  EXPECT_EQ(pick(), "a");
}

TEST_F(ReplicasTest, OpenTheBreakerWithoutAPauseWhenAHostAnswersBadly) {
  for (int i = 0; i < 4; ++i) host(0).report(verdict::failed, now_us, now_us);
  EXPECT_NE(picks(3).find('a'), std::string::npos);
  host(0).report(verdict::failed, now_us, now_us);
  EXPECT_EQ(picks(6).find('a'), std::string::npos);
}

TEST_F(ReplicasTest, AreNotTriedTwice) {
  tried = {&host(0), &host(2)};
  EXPECT_EQ(picks(2), "bb");
  tried.push_back(&host(1));
  EXPECT_EQ(pick(), "");
}

}  // namespace
}  // namespace gantry::call
