#include "runtime/timer_wheel.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <map>
#include <string>
#include <vector>

namespace gantry::runtime {
namespace {

constexpr std::int64_t second = 1'000'000;

std::vector<std::string> fired(timer_wheel& wheel, std::int64_t now) {
  std::vector<timer_wheel::fired> out;
  wheel.advance(now, out);
  std::vector<std::string> keys;
  for (const auto& f : out) keys.push_back(std::to_string(f.kind) + f.key);
  std::sort(keys.begin(), keys.end());
  return keys;
}

using keys = std::vector<std::string>;

TEST(timer_wheel, fires_once_and_at_most_a_tick_late) {
  timer_wheel wheel;
  wheel.arm(0, "a", 3 * second);
  EXPECT_EQ(fired(wheel, 3 * second - 1), keys{});
  EXPECT_EQ(fired(wheel, 3 * second + timer_wheel::tick_us), keys{"0a"});
  EXPECT_EQ(fired(wheel, 100 * second), keys{});
}

TEST(timer_wheel, a_later_arming_replaces_and_kinds_are_apart) {
  timer_wheel wheel;
  wheel.arm(0, "a", 2 * second);
  wheel.arm(1, "a", 2 * second);
  wheel.arm(0, "a", 5 * second);
  EXPECT_EQ(fired(wheel, 3 * second), keys{"1a"});
  EXPECT_EQ(fired(wheel, 6 * second), keys{"0a"});
}

TEST(timer_wheel, a_disarmed_timer_does_not_fire_and_need_not_exist) {
  timer_wheel wheel;
  wheel.disarm(0, "a");
  wheel.arm(0, "a", second);
  wheel.disarm(0, "a");
  EXPECT_EQ(fired(wheel, 9 * second), keys{});
  EXPECT_EQ(wheel.size(), 0U);
}

TEST(timer_wheel, a_timer_after_a_ticket_counts_from_its_acknowledgement) {
  timer_wheel wheel;
  wheel.arm_after(7, 0, "a", second);
  EXPECT_EQ(fired(wheel, 100 * second), keys{});
  wheel.acknowledged(6, 100 * second);
  EXPECT_EQ(fired(wheel, 200 * second), keys{});
  wheel.acknowledged(7, 200 * second);
  EXPECT_EQ(fired(wheel, 200 * second + second / 2), keys{});
  EXPECT_EQ(fired(wheel, 202 * second), keys{"0a"});
}

TEST(timer_wheel, of_two_armings_for_one_ticket_the_later_counts) {
  timer_wheel wheel;
  wheel.arm_after(7, 0, "a", second);
  wheel.arm_after(7, 0, "a", 10 * second);
  wheel.arm_after(7, 0, "b", 10 * second);
  wheel.disarm(0, "b");
  wheel.arm_after(7, 0, "b", second);
  wheel.acknowledged(7, 0);
  EXPECT_EQ(fired(wheel, 2 * second), keys{"0b"});
  EXPECT_EQ(fired(wheel, 11 * second), keys{"0a"});
}

TEST(timer_wheel, timers_that_wait_for_the_start_do_not_hold_up_the_others) {
  timer_wheel wheel;
  wheel.arm_after(UINT64_MAX, 0, "restored", second);
  wheel.arm_after(3, 0, "new", second);
  wheel.acknowledged(3, 0);
  EXPECT_EQ(fired(wheel, 2 * second), keys{"0new"});
  wheel.acknowledged(UINT64_MAX, 2 * second);
  EXPECT_EQ(fired(wheel, 4 * second), keys{"0restored"});
  EXPECT_FALSE(wheel.waits_for_ticket());
}

TEST(timer_wheel, a_long_jump_fires_all_that_is_due_and_nothing_else) {
  timer_wheel wheel;
  EXPECT_EQ(fired(wheel, second), keys{});
  for (int i = 0; i < 10; ++i) wheel.arm(0, std::to_string(i), (i + 1) * 1000 * second);
  EXPECT_EQ(fired(wheel, 5500 * second), (keys{"00", "01", "02", "03", "04"}));
  EXPECT_EQ(wheel.size(), 5U);
}

// The wheel against a map, over random lives.
RC_GTEST_PROP(timer_wheel_property, behaves_like_a_sorted_list, ()) {
  struct pending {
    std::int64_t due = 0;
    std::int64_t delay = 0;
    std::uint64_t ticket = 0;
  };
  timer_wheel wheel;
  std::map<std::string, pending> model;
  std::int64_t now = second;
  std::uint64_t ticket = 1;
  const auto steps = *rc::gen::container<std::vector<std::tuple<int, int, int>>>(
      rc::gen::tuple(rc::gen::inRange(0, 5), rc::gen::inRange(0, 6), rc::gen::inRange(0, 120'000)));
  for (const auto& [what, which, ms] : steps) {
    const std::string key = std::to_string(which);
    const std::int64_t delay = ms * std::int64_t{1000};
    switch (what) {
      case 0:
        wheel.arm(0, key, now + delay);
        model[key] = {now + delay, 0, 0};
        break;
      case 1:
        wheel.arm_after(ticket, 0, key, delay);
        model[key] = {0, delay, ticket};
        break;
      case 2:
        wheel.disarm(0, key);
        model.erase(key);
        break;
      case 3:
        wheel.acknowledged(ticket, now);
        for (auto& [name, p] : model)
          if (p.ticket != 0) p = {now + p.delay, 0, 0};
        ++ticket;
        break;
      default:
        now += delay;
        for (const auto& name : fired(wheel, now)) {
          const auto at = model.find(name.substr(1));
          RC_ASSERT(at != model.end());
          RC_ASSERT(at->second.ticket == 0U);
          RC_ASSERT(at->second.due <= now);
          model.erase(at);
        }
        for (const auto& [name, p] : model) RC_ASSERT(p.ticket != 0 || p.due > now - 2 * timer_wheel::tick_us);
    }
    RC_ASSERT(wheel.size() == model.size());
  }
}

}  // namespace
}  // namespace gantry::runtime
