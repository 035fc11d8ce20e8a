#include "blackbox/stack.hpp"

#include <dlfcn.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <thread>

namespace {

std::atomic<bool> unwinder_hangs{false};

}  // namespace

// Found before the system's, as the program's own; on a stack that is damaged that one may not come to an end.
extern "C" int backtrace(void** to, int most) {
  while (unwinder_hangs) pause();
  static auto* const system_s = reinterpret_cast<int (*)(void**, int)>(dlsym(RTLD_NEXT, "backtrace"));
  return system_s(to, most);
}

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

TEST(stack, of_a_thread_that_does_not_finish_its_answer_is_given_up_and_no_other_is_asked) {
  const pid_t pid = fork();
  if (pid == 0) {
    who = 0;
    go_on = true;
    answer_stack_questions();
    std::thread(turn_in_circles).detach();
    while (who == 0) std::this_thread::yield();
    unwinder_hangs = true;
    bool given_up = stack_of(who).empty();
    unwinder_hangs = false;
    given_up = given_up && stack_of(static_cast<std::uint32_t>(gettid())).empty();
    _exit(given_up ? 0 : 1);
  }
  int status = 0;
  waitpid(pid, &status, 0);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
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
