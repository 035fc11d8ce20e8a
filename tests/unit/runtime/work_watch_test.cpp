#include "runtime/watch.hpp"

#include <gtest/gtest.h>

#include <latch>
#include <thread>

#include "bench.hpp"
#include "blackbox/box.hpp"
#include "blackbox/stack.hpp"

namespace gantry::testing {
namespace {

using runtime::work_watch;

constexpr std::int64_t second = 1'000'000;

// A thread in plugin code: first it waits for the host, then it does something of its own.
TEST(work_watch_test, who_waits_for_the_host_is_not_taken_for_a_hang_then_nor_right_behind_it) {
  blackbox::answer_stack_questions();
  script plays;
  bench b(plays);
  const auto notes = blackbox::box::in_memory();
  int replaced = 0;
  work_watch watch(b.time, *notes, [&](runtime::work_kind) { ++replaced; });
  auto around = b.plugin->around;
  around.watch = &watch;
  auto plugin = make_plugin(plays, around, *b.events);
  auto& who = *plugin;
  who.stall_after_us = 5 * second;
  who.stall_kill_after_us = 25 * second;
  watch.add(who);
  std::latch waiting(1);
  std::latch answered(1);
  std::latch on_its_own(1);
  std::latch over(1);
  std::thread worker([&] {
    const runtime::watched_work inside(who, {.kind = runtime::work_kind::event});
    {
      const blackbox::host_time waits;
      waiting.count_down();
      answered.wait();
    }
    on_its_own.count_down();
    over.wait();
  });
  waiting.wait();
  b.time.pass(4 * second);
  watch.tick();
  EXPECT_EQ(who.stalled.load(), 0U);
  b.time.pass(2 * second);
  watch.tick();
  EXPECT_EQ(who.stalled.load(), 1U);  // nobody is sent there meanwhile, and another worker takes the place
  EXPECT_EQ(replaced, 1);
  b.time.pass(60 * second);
  watch.tick();
  answered.count_down();
  on_its_own.wait();
  // The end of this process would be the end of this test.
  watch.tick();
  b.time.pass(24 * second);
  watch.tick();
  over.count_down();
  worker.join();
  watch.tick();
  EXPECT_EQ(who.stalled.load(), 0U);
  EXPECT_EQ(replaced, 1);
  watch.remove(who);
  end_plugin(plugin);
}

}  // namespace
}  // namespace gantry::testing
