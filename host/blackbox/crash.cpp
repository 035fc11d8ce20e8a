#include "blackbox/crash.hpp"

#include <execinfo.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/syscall.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <exception>
#include <typeinfo>

#include "blackbox/guard.hpp"

namespace gantry::blackbox {
namespace {

// Of the process: handlers are called without an argument of ours.
box* noted = nullptr;

std::uint64_t program_counter_of([[maybe_unused]] const void* context) {
#if defined(__x86_64__)
  return static_cast<std::uint64_t>(static_cast<const ucontext_t*>(context)->uc_mcontext.gregs[REG_RIP]);
#elif defined(__aarch64__)
  return static_cast<const ucontext_t*>(context)->uc_mcontext.pc;
#else
  return 0;
#endif
}

// A process that plugin code has forked shares the page, and its end is nobody's concern.
bool ours(const page& all) { return all.pid == static_cast<std::uint32_t>(getpid()); }

// The first to come writes the note.
bool take(end_note& note) { return note.taken.exchange(1) == 0; }

// The others wait for the end that it brings; not for ever, should it be stuck.
void wait_for_note(const end_note& note) {
  const timespec pause{0, 10'000'000};
  for (int times = 0; note.whole == 0 && times < 300; ++times) nanosleep(&pause, nullptr);
}

void copy_text(end_note& note, std::string_view text) {
  const auto length = std::min(text.size(), note.text.size() - 1);
  std::memcpy(note.text.data(), text.data(), length);
  note.text[length] = 0;
}

// Where code is mapped: a line each. What lies between is passed over, as there may be more than there is room for.
void copy_maps(page& into) {
  const int file = ::open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
  if (file < 0) return;
  std::array<char, 4096> buffer;
  std::array<char, 1024> line;
  std::size_t line_length = 0;
  std::uint32_t length = 0;
  for (;;) {
    const auto got = ::read(file, buffer.data(), buffer.size());
    if (got <= 0) break;
    for (ssize_t i = 0; i < got; ++i) {
      if (line_length < line.size()) line[line_length++] = buffer[static_cast<std::size_t>(i)];
      if (buffer[static_cast<std::size_t>(i)] != '\n') continue;
      const std::string_view whole(line.data(), line_length);
      line_length = 0;
      const auto rights = whole.find(' ');
      if (rights == std::string_view::npos || rights + 3 >= whole.size() || whole[rights + 3] != 'x') continue;
      if (length + whole.size() > into.maps.size()) continue;
      std::memcpy(&into.maps[length], whole.data(), whole.size());
      length += static_cast<std::uint32_t>(whole.size());
    }
  }
  // Not by the function that looks for who closes the box: it may be gone, and this its number.
  syscall(SYS_close, file);
  into.maps_length = length;
}

void copy_stack(end_note& note) {
  std::array<void*, most_frames> frames;
  const auto count = backtrace(frames.data(), static_cast<int>(frames.size()));
  for (int i = 0; i < count; ++i)
    note.frames[static_cast<std::size_t>(i)] = reinterpret_cast<std::uint64_t>(frames[static_cast<std::size_t>(i)]);
  note.frame_count = static_cast<std::uint32_t>(count);
}

// Async-signal-safe: plain stores, open, read, close. Walking a stack that is damaged may fault in its turn; what was
// noted before stays, and that fault, blocked here, ends the process.
[[maybe_unused]] void on_fault(int number, siginfo_t* about, void* context) {
  const int kept_errno = errno;
  auto& all = noted->all();
  auto& note = all.end;
  if (!ours(all)) {
    // A process that plugin code has forked.
  } else if (take(note)) {
    note.cause = end_cause::signal;
    note.signal = number;
    note.code = about->si_code;
    note.tid = static_cast<std::uint32_t>(gettid());
    note.address = reinterpret_cast<std::uint64_t>(about->si_addr);
    note.program_counter = program_counter_of(context);
    copy_maps(all);
    copy_stack(note);
    note.whole = 1;
  } else if (note.tid != static_cast<std::uint32_t>(gettid())) {
    wait_for_note(note);
  }
  struct sigaction by_default {};
  by_default.sa_handler = SIG_DFL;
  sigaction(number, &by_default, nullptr);
  errno = kept_errno;
  raise(number);  // once this handler has returned
}

// Whoever closed descriptors is found by the watch within its next look; the host's own code may run into that before.
void leave_it_to_the_watch(const end_note& note) {
  const auto* const here = box::of_thread();
  if (descriptors_are_whole() || (here != nullptr && inside(*here))) return;
  for (int looks = 0; looks < 20 && note.taken == 0; ++looks) {
    const timespec pause{0, 10'000'000};
    nanosleep(&pause, nullptr);
  }
}

[[noreturn, maybe_unused]] void on_terminate() {
  auto& note = noted->all().end;
  if (ours(noted->all())) leave_it_to_the_watch(note);
  if (ours(noted->all()) && take(note)) {
    note.cause = end_cause::terminate;
    note.signal = SIGABRT;
    note.program_counter = reinterpret_cast<std::uint64_t>(__builtin_return_address(0));
    note.tid = static_cast<std::uint32_t>(gettid());
    copy_text(note, "std::terminate");
    if (const auto thrown = std::current_exception()) {
      try {
        std::rethrow_exception(thrown);
      } catch (const std::exception& e) {
        copy_text(note, e.what());
      } catch (...) {
        copy_text(note, "an exception that is not a std::exception");
      }
    }
    copy_maps(noted->all());
    copy_stack(note);
    note.whole = 1;
  }
  std::abort();
}

}  // namespace

void note_exit_call(box& into, int code, const void* from) noexcept {
  auto& note = into.all().end;
  if (!take(note)) return;
  note.cause = end_cause::exit_call;
  note.code = code;
  note.tid = static_cast<std::uint32_t>(gettid());
  note.program_counter = reinterpret_cast<std::uint64_t>(from);
  copy_maps(into.all());
  copy_stack(note);
  note.whole = 1;
}

void note_suspects(box& into, end_cause cause, std::string_view text) noexcept {
  auto& all = into.all();
  auto& note = all.end;
  if (!take(note)) return;
  const auto bound = std::min<std::size_t>(all.slot_bound, most_slots);
  for (std::size_t i = 0; i < bound; ++i) {
    auto& s = all.slots[i];
    std::uint32_t used = 1;
    if (inside(s) && s.in_host == 0) s.used.compare_exchange_strong(used, 2);
  }
  note.cause = cause;
  copy_text(note, text);
  note.whole = 1;
}

void note_ends(box& into) {
  noted = &into;
  into.mine();  // an alternate stack for the main thread
  guard_process(into);
  // The unwinder is loaded now, because a handler must not.
  std::array<void*, 1> frame;
  backtrace(frame.data(), 1);
#if !defined(GANTRY_SANITIZED)
  struct sigaction act {};
  act.sa_sigaction = on_fault;
  act.sa_flags = SA_SIGINFO | SA_ONSTACK;
  sigemptyset(&act.sa_mask);
  for (const int one : {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGSYS, SIGTRAP}) sigaction(one, &act, nullptr);
  std::set_terminate(on_terminate);
#endif
}

void end_because(box& into, end_cause cause, std::uint32_t tid, std::span<const std::uint64_t> frames,
                 std::string_view text, const void* from) {
  auto& note = into.all().end;
  if (take(note)) {
    note.cause = cause;
    note.signal = SIGABRT;
    note.tid = tid;
    note.program_counter = reinterpret_cast<std::uint64_t>(from);
    copy_text(note, text);
    copy_maps(into.all());
    if (frames.empty()) copy_stack(note);
    for (const auto frame : frames)
      if (note.frame_count < note.frames.size()) note.frames[note.frame_count++] = frame;
    note.whole = 1;
  }
  std::abort();
}

}  // namespace gantry::blackbox
