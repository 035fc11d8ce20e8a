#include "blackbox/stack.hpp"

#include <execinfo.h>
#include <signal.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <fstream>
#include <mutex>

#include "blackbox/page.hpp"

namespace gantry::blackbox {
namespace {

// One question at a time; of the process, as a handler gets no argument of ours.
std::mutex asking;
std::atomic<std::uint32_t> asked_tid{0};
std::array<void*, most_frames> answer;
std::atomic<int> answer_count{-1};
bool stuck = false;  // guarded by asking

int question() { return SIGRTMIN + 5; }

void on_question(int, siginfo_t*, void*) {
  const int kept_errno = errno;
  auto mine = static_cast<std::uint32_t>(gettid());
  // Only once, and not when nobody waits any more.
  if (asked_tid.compare_exchange_strong(mine, 0)) answer_count = backtrace(answer.data(), most_frames);
  errno = kept_errno;
}

}  // namespace

void answer_stack_questions() {
  std::array<void*, 1> frame;
  backtrace(frame.data(), 1);  // loads the unwinder, which a handler must not
  struct sigaction act {};
  act.sa_sigaction = on_question;
  act.sa_flags = SA_SIGINFO | SA_RESTART | SA_ONSTACK;
  sigemptyset(&act.sa_mask);
  sigaction(question(), &act, nullptr);
}

std::vector<std::uint64_t> stack_of(std::uint32_t tid) {
  const std::lock_guard lock(asking);
  if (stuck) return {};
  answer_count = -1;
  asked_tid = tid;
  if (syscall(SYS_tgkill, getpid(), static_cast<pid_t>(tid), question()) != 0) {
    asked_tid = 0;
    return {};
  }
  const timespec pause{0, 1'000'000};
  for (int times = 0; answer_count < 0 && times < 200; ++times) nanosleep(&pause, nullptr);
  auto unanswered = tid;
  if (asked_tid.compare_exchange_strong(unanswered, 0)) return {};
  // It has begun to answer: that takes no time to speak of, unless it was stopped, or walks over what plugin code has
  // left of its stack.
  for (int times = 0; answer_count < 0 && times < 2000; ++times) nanosleep(&pause, nullptr);
  stuck = answer_count < 0;
  if (stuck) return {};
  std::vector<std::uint64_t> out;
  // The first two are the handler and what the system has put around it.
  for (int i = 2; i < answer_count; ++i)
    out.push_back(reinterpret_cast<std::uint64_t>(answer[static_cast<std::size_t>(i)]));
  return out;
}

std::string own_maps() {
  std::ifstream in("/proc/self/maps");
  std::string out;
  for (std::string line; std::getline(in, line);) {
    const auto rights = line.find(' ');
    if (rights != std::string::npos && rights + 3 < line.size() && line[rights + 3] == 'x') out += line + "\n";
  }
  return out;
}

}  // namespace gantry::blackbox
