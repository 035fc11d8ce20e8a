#include "blackbox/guard.hpp"

#include <dlfcn.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <climits>
#include <cstdlib>

#include "blackbox/crash.hpp"

namespace gantry::blackbox {
namespace {

// Of the process, as the functions below are.
std::atomic<box*> guarded{nullptr};
std::atomic<int> precious{-1};
ino_t inode = 0;
// The function of this name that would be found without this one. Not looked for before, because allocators close files
// while they are not yet able to do anything.
std::atomic<int (*)(int)> next_close{nullptr};

// Null: nothing of the host is to be guarded here, or any more. A process that plugin code has forked may do as it
// likes.
[[maybe_unused]] box* box_of_host() noexcept {
  auto* const of = guarded.load(std::memory_order_acquire);
  if (of == nullptr || of->all().ended_in_order != 0) return nullptr;
  return of->all().pid == static_cast<std::uint32_t>(getpid()) ? of : nullptr;
}

[[maybe_unused]] void refuse_to_close(unsigned first, unsigned last, const void* from) {
  const int which = precious.load(std::memory_order_relaxed);
  if (which < 0 || static_cast<unsigned>(which) < first || static_cast<unsigned>(which) > last) return;
  if (auto* const of = box_of_host(); of != nullptr && descriptors_are_whole())
    end_because(*of, end_cause::descriptors, of->mine().tid, {}, "code of a plugin closes descriptors of the host",
                from);
}

[[maybe_unused]] void note_exit(int code, const void* from) noexcept {
  if (auto* const of = box_of_host()) note_exit_call(*of, code, from);
}

}  // namespace

void guard_process(box& of) {
  next_close = reinterpret_cast<int (*)(int)>(dlsym(RTLD_NEXT, "close"));
  struct stat about {};
  if (of.descriptor() >= 0 && fstat(of.descriptor(), &about) == 0) {
    inode = about.st_ino;
    precious = of.descriptor();
  }
  guarded.store(&of, std::memory_order_release);
}

bool descriptors_are_whole() noexcept {
  const int which = precious.load(std::memory_order_relaxed);
  struct stat about {};
  return which < 0 || (fstat(which, &about) == 0 && about.st_ino == inode);
}

}  // namespace gantry::blackbox

#if !defined(GANTRY_SANITIZED)

// The dynamic linker finds these before the C library's.
extern "C" {

__attribute__((visibility("default"))) int close(int which) {
  gantry::blackbox::refuse_to_close(static_cast<unsigned>(which), static_cast<unsigned>(which),
                                    __builtin_return_address(0));
  const auto next = gantry::blackbox::next_close.load(std::memory_order_relaxed);
  return next != nullptr ? next(which) : static_cast<int>(syscall(SYS_close, which));
}

__attribute__((visibility("default"))) int close_range(unsigned first, unsigned last, int flags) {
  gantry::blackbox::refuse_to_close(first, last, __builtin_return_address(0));
  return static_cast<int>(syscall(SYS_close_range, first, last, flags));
}

__attribute__((visibility("default"))) void closefrom(int first) {
  gantry::blackbox::refuse_to_close(static_cast<unsigned>(first), UINT_MAX, __builtin_return_address(0));
  syscall(SYS_close_range, static_cast<unsigned>(first), UINT_MAX, 0);
}

__attribute__((visibility("default"), noreturn)) void _exit(int code) {
  gantry::blackbox::note_exit(code, __builtin_return_address(0));
  syscall(SYS_exit_group, code);
  __builtin_unreachable();
}

__attribute__((visibility("default"), noreturn)) void _Exit(int code) {
  gantry::blackbox::note_exit(code, __builtin_return_address(0));
  syscall(SYS_exit_group, code);
  __builtin_unreachable();
}

// What is registered to run at the end, the destructors of a program whose threads go on, is left out when it is not
// the host that ends.
__attribute__((visibility("default"), noreturn)) void exit(int code) {
  gantry::blackbox::note_exit(code, __builtin_return_address(0));
  if (gantry::blackbox::box_of_host() != nullptr) syscall(SYS_exit_group, code);
  reinterpret_cast<void (*)(int)>(dlsym(RTLD_NEXT, "exit"))(code);
  __builtin_unreachable();
}
}

#endif
