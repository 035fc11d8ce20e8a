#include "supervisor/restart_policy.hpp"

#include <gtest/gtest.h>

namespace gantry::supervisor {
namespace {

constexpr restart_limits limits{4, 1'000'000, 1'000, 2'000, 7'000};

TEST(RestartPolicyTest, AfterTheFirstThePauseTriplesUpToTheLongest) {
  restart_policy policy(limits);
  EXPECT_EQ(policy.died(0, 1), 1'000);
  EXPECT_EQ(policy.died(10, 1), 2'000);
  EXPECT_EQ(policy.died(20, 1), 6'000);
  EXPECT_EQ(policy.died(30, 1), 7'000);
}

TEST(RestartPolicyTest, TheRestartsThatAreAllowedOutlastACounterpartThatIsAwayForSeconds) {
  const restart_limits usual;
  restart_policy policy(usual);
  std::int64_t now = 0;
  for (auto pause = policy.died(now, 0); pause; pause = policy.died(now, 0)) now += *pause;
  EXPECT_GT(now, 3'000'000);
}

TEST(RestartPolicyTest, ChanceTakesAtMostHalfOfThePause) {
  restart_policy policy(limits);
  EXPECT_EQ(policy.died(0, 0), 500);
  EXPECT_EQ(policy.died(10, 0.5), 1'500);  // of 2'000
}

TEST(RestartPolicyTest, WhoDiesTooOftenWithinTheWindowIsGivenUp) {
  restart_policy policy(limits);
  for (int i = 0; i < 4; ++i) EXPECT_TRUE(policy.died(i, 0));
  EXPECT_FALSE(policy.died(999'999, 0));
}

TEST(RestartPolicyTest, DeathsBeforeTheWindowAreForgotten) {
  restart_policy policy(limits);
  for (int i = 0; i < 4; ++i) EXPECT_TRUE(policy.died(i, 1));
  EXPECT_EQ(policy.died(1'000'003, 1), 1'000);
}

TEST(RestartPolicyTest, NoneAllowedMeansNone) {
  restart_policy policy({0, 1'000'000, 1'000, 2'000, 7'000});
  EXPECT_FALSE(policy.died(0, 0));
}

}  // namespace
}  // namespace gantry::supervisor
