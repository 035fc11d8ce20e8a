// Timers and the clock they go by, on a host that stands still and on one that is only busy.
#include <gtest/gtest.h>

#include <future>

#include "bench.hpp"

namespace gantry::testing {
namespace {

class lane_timers : public ::testing::Test {
 protected:
  lane_timers() {
    plays_.event = [](const gantry_event&, gantry_tx*) -> gantry_status { return GANTRY_OK; };
    plays_.timer = [this](const std::string&, gantry_tx*) -> gantry_status {
      ++fired_;
      return GANTRY_OK;
    };
    bench_ = std::make_unique<bench>(plays_);
    bench_->settle();
    bench_->until([&] { return bench_->lane().caught_up(); });
  }
  void arm_for(std::int64_t us) {
    ASSERT_EQ(bench_->write([us](gantry_tx& tx) { return arm(&tx, "t", us, false); }), GANTRY_OK);
  }
  // Runs of the lane.
  void look() {
    for (int i = 0; i < 3; ++i) bench_->write([](gantry_tx&) { return GANTRY_OK; });
  }

  script plays_;
  std::atomic<int> fired_{0};
  std::unique_ptr<bench> bench_;
};

TEST_F(lane_timers, count_while_time_passes) {
  arm_for(10'000'000);
  bench_->pass(9'000'000);
  look();
  EXPECT_EQ(fired_, 0);
  bench_->pass(1'100'000);
  bench_->until([&] { return fired_ == 1; });
}

TEST_F(lane_timers, of_a_host_that_stood_still_stand_for_as_long_again) {
  arm_for(10'000'000);
  bench_->time.pass(30'000'000);
  look();
  EXPECT_EQ(fired_, 0);
  bench_->pass(28'000'000);
  look();
  EXPECT_EQ(fired_, 0);
  bench_->pass(2'100'000);
  look();  // from here on they count again
  bench_->pass(9'000'000);
  look();
  EXPECT_EQ(fired_, 0);
  bench_->pass(1'100'000);
  bench_->until([&] { return fired_ == 1; });
}

TEST_F(lane_timers, of_a_host_that_stood_still_for_an_hour_stand_for_a_minute_more) {
  arm_for(1'000'000);
  bench_->time.pass(3'600'000'000);
  look();
  bench_->pass(59'000'000);
  look();
  EXPECT_EQ(fired_, 0);
  bench_->pass(1'100'000);
  look();
  bench_->pass(1'100'000);
  bench_->until([&] { return fired_ == 1; });
}

// Others look at the clock meanwhile.
TEST_F(lane_timers, a_long_batch_is_no_standstill) {
  arm_for(10'000'000);
  std::promise<void> entered;
  std::promise<void> go_on;
  bench_->post(
      [&](gantry_tx&) -> gantry_status {
        entered.set_value();
        go_on.get_future().wait();
        return GANTRY_OK;
      },
      [](bool, gantry_status) {});
  entered.get_future().wait();
  bench_->pass(9'000'000);
  go_on.set_value();
  look();
  EXPECT_EQ(fired_, 0);
  bench_->pass(1'100'000);
  bench_->until([&] { return fired_ == 1; });
}

}  // namespace
}  // namespace gantry::testing
