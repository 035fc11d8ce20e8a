// A process that ends in every way, and what its box says afterwards. Real processes, made by fork.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <functional>
#include <stdexcept>
#include <thread>

#include "blackbox/crash.hpp"
#include "blackbox/guard.hpp"
#include "blackbox/reading.hpp"

namespace gantry::blackbox {
namespace {

struct ended {
  int status = 0;
  account told;
};

// Runs `what` on a second thread of another process, which has noted that it is in code of plugin "weak".
ended run(const std::function<void(box&)>& what) {
  const auto file = std::filesystem::path(::testing::TempDir()) / ("end_test." + std::to_string(getpid()));
  const pid_t pid = fork();
  if (pid == 0) {
    auto* const notes = box::open(file).value().release();
    note_ends(*notes);
    std::thread([&] {
      enter(notes->mine(), {.kind = work_kind::request, .plugin = notes->name("weak"), .what = notes->name("GET /")},
            1);
      what(*notes);
      leave(notes->mine());
    }).join();
    notes->end_in_order(0);
    _exit(0);
  }
  ended out;
  waitpid(pid, &out.status, 0);
  auto read = read_box(file);
  EXPECT_TRUE(read);
  if (read) out.told = std::move(*read);
  std::filesystem::remove(file);
  return out;
}

TEST(end, in_order_is_no_death) {
  const auto e = run([](box&) {});
  EXPECT_TRUE(e.told.ended_in_order);
  EXPECT_FALSE(e.told.end);
}

#if !defined(GANTRY_SANITIZED)

const thread_account* at_fault(const account& of) {
  for (const auto& t : of.threads)
    if (of.end && t.tid == of.end->tid) return &t;
  return nullptr;
}

int* volatile nowhere = nullptr;

TEST(end, a_fault_is_noted_with_its_thread_and_stack_and_ends_as_ever) {
  const auto e = run([](box&) { *nowhere = 1; });
  EXPECT_TRUE(WIFSIGNALED(e.status) && WTERMSIG(e.status) == SIGSEGV);
  ASSERT_TRUE(e.told.end);
  EXPECT_EQ(e.told.end->signal, SIGSEGV);
  EXPECT_EQ(e.told.end->address, 0U);
  ASSERT_NE(at_fault(e.told), nullptr);
  EXPECT_EQ(at_fault(e.told)->plugin, "weak");
  ASSERT_FALSE(e.told.end->stack.empty());
  EXPECT_NE(e.told.end->stack[0].function.find("a_fault_is_noted"), std::string::npos) << to_text(e.told.end->stack[0]);
}

int (*volatile deeper)(volatile char*);

int deep(volatile char* from) {
  volatile char more[4096];
  more[0] = from[0];
  return deeper(more) + more[1];
}

TEST(end, a_stack_that_is_full_is_noted_on_another_one) {
  const auto e = run([](box&) {
    volatile char first[1] = {};
    deeper = deep;
    deep(first);
  });
  ASSERT_TRUE(e.told.end);
  EXPECT_EQ(e.told.end->signal, SIGSEGV);
  ASSERT_NE(at_fault(e.told), nullptr);
}

TEST(end, a_jump_to_nowhere_is_noted) {
  const auto e = run([](box&) { reinterpret_cast<void (*)()>(nowhere)(); });
  ASSERT_TRUE(e.told.end);
  EXPECT_EQ(at_fault(e.told)->plugin, "weak");
}

TEST(end, what_nobody_catches_is_noted_with_its_text) {
  const auto e = run([](box&) {
    const auto fails = [] { throw std::runtime_error("too late"); };
    const std::function<void()> what = fails;
    [&]() noexcept { what(); }();
  });
  EXPECT_TRUE(WIFSIGNALED(e.status) && WTERMSIG(e.status) == SIGABRT);
  ASSERT_TRUE(e.told.end);
  EXPECT_EQ(e.told.end->cause, end_cause::terminate);
  EXPECT_EQ(e.told.end->text, "too late");
  EXPECT_NE(at_fault(e.told), nullptr);
}

TEST(end, exit_and_underscore_exit_are_noted) {
  for (const bool orderly : {true, false}) {
    const auto e = run([&](box&) { orderly ? std::exit(3) : _exit(3); });
    EXPECT_TRUE(WIFEXITED(e.status) && WEXITSTATUS(e.status) == 3);
    EXPECT_FALSE(e.told.ended_in_order);
    ASSERT_TRUE(e.told.end);
    EXPECT_EQ(e.told.end->cause, end_cause::exit_call);
    ASSERT_NE(at_fault(e.told), nullptr);
    EXPECT_EQ(at_fault(e.told)->plugin, "weak");
  }
}

TEST(end, whoever_closes_the_box_is_stopped_at_once) {
  const auto e = run([](box&) {
    for (int i = 3; i < 100; ++i) close(i);
  });
  EXPECT_TRUE(WIFSIGNALED(e.status) && WTERMSIG(e.status) == SIGABRT);
  ASSERT_TRUE(e.told.end);
  EXPECT_EQ(e.told.end->cause, end_cause::descriptors);
  EXPECT_NE(at_fault(e.told), nullptr);
}

TEST(end, a_closed_box_is_noticed_when_nobody_was_seen) {
  const auto e = run([](box& notes) {
    EXPECT_TRUE(descriptors_are_whole());
    syscall(SYS_close, notes.descriptor());
    if (descriptors_are_whole()) notes.end_in_order(1);
  });
  EXPECT_EQ(e.told.exit_code, 0);
}

TEST(end, what_plugin_code_forks_may_end_as_it_likes) {
  const auto e = run([](box&) {
    const pid_t pid = fork();
    if (pid == 0) {
      for (int i = 3; i < 100; ++i) close(i);
      _exit(1);
    }
    waitpid(pid, nullptr, 0);
  });
  EXPECT_TRUE(e.told.ended_in_order);
  EXPECT_FALSE(e.told.end);
}

#endif

// An allocation storm is over in less time than an operator's kill leaves to anybody.
TEST(end, who_was_inside_when_the_memory_ran_out_is_suspected) {
  const auto e = run([](box& notes) {
    note_suspects(notes, end_cause::memory, "too much");
    kill(getpid(), SIGKILL);
  });
  EXPECT_TRUE(WIFSIGNALED(e.status) && WTERMSIG(e.status) == SIGKILL);
  ASSERT_TRUE(e.told.end);
  EXPECT_EQ(e.told.end->cause, end_cause::memory);
  EXPECT_EQ(e.told.end->text, "too much");
  ASSERT_EQ(std::count_if(e.told.threads.begin(), e.told.threads.end(), [](const auto& t) { return t.suspected; }), 1);
}

TEST(end, an_end_without_a_word_leaves_who_was_inside) {
  const auto e = run([](box&) { syscall(SYS_exit_group, 0); });
  EXPECT_FALSE(e.told.ended_in_order);
  EXPECT_FALSE(e.told.end);
  const auto inside =
      std::count_if(e.told.threads.begin(), e.told.threads.end(), [](const auto& t) { return t.inside(); });
  EXPECT_EQ(inside, 1);
}

}  // namespace
}  // namespace gantry::blackbox
