#include "blackbox/stack.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <thread>

namespace gantry::blackbox {
namespace {

std::atomic<bool> go_on{true};
std::atomic<std::uint32_t> who{0};

[[gnu::noinline]] void turn_in_circles() {
  who = static_cast<std::uint32_t>(gettid());
  while (go_on) std::this_thread::yield();
}

TEST(stack, of_a_thread_that_is_somewhere_else) {
  answer_stack_questions();
  std::thread busy(turn_in_circles);
  while (who == 0) std::this_thread::yield();
  const auto addresses = stack_of(who);
  go_on = false;
  busy.join();
  ASSERT_FALSE(addresses.empty());
  std::string all;
  for (const auto& f : name_frames(addresses, own_maps())) all += to_text(f) + "\n";
  EXPECT_NE(all.find("turn_in_circles"), std::string::npos) << all;
}

TEST(stack, of_a_thread_that_is_gone_is_empty) {
  std::uint32_t tid = 0;
  std::thread([&] { tid = static_cast<std::uint32_t>(gettid()); }).join();
  EXPECT_TRUE(stack_of(tid).empty());
}

TEST(stack, of_no_known_file_is_its_address) {
  const std::uint64_t address[] = {0x1234};
  const auto frames = name_frames(address, "nonsense\n1000-2000 r-xp 00000000 08:01 7  /no/such/file.so\n");
  ASSERT_EQ(frames.size(), 1U);
  EXPECT_EQ(to_text(frames[0]), "0x1234 in file.so (0x234)");
  EXPECT_EQ(to_text(name_frames(address, "")[0]), "0x1234");
}

}  // namespace
}  // namespace gantry::blackbox
