#include "supervisor/restart_policy.hpp"

#include <gtest/gtest.h>

namespace gantry::supervisor {
namespace {

constexpr restart_limits limits{3, 1'000'000, 1'000, 3'000};

TEST(RestartPolicyTest, ThePauseDoublesUpToTheLongest) {
  restart_policy policy(limits);
  EXPECT_EQ(policy.died(0, 1), 1'000);
  EXPECT_EQ(policy.died(10, 1), 2'000);
  EXPECT_EQ(policy.died(20, 1), 3'000);
}

TEST(RestartPolicyTest, ChanceTakesAtMostHalfOfThePause) {
  restart_policy policy(limits);
  EXPECT_EQ(policy.died(0, 0), 500);
  EXPECT_EQ(policy.died(10, 0.5), 1'500);
}

TEST(RestartPolicyTest, WhoDiesTooOftenWithinTheWindowIsGivenUp) {
  restart_policy policy(limits);
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(policy.died(i, 0));
  EXPECT_FALSE(policy.died(999'999, 0));
}

TEST(RestartPolicyTest, DeathsBeforeTheWindowAreForgotten) {
  restart_policy policy(limits);
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(policy.died(i, 1));
  EXPECT_EQ(policy.died(1'000'002, 1), 1'000);
}

TEST(RestartPolicyTest, NoneAllowedMeansNone) {
  restart_policy policy({0, 1'000'000, 1'000, 3'000});
  EXPECT_FALSE(policy.died(0, 0));
}

}  // namespace
}  // namespace gantry::supervisor
