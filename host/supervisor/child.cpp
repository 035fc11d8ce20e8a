#include "supervisor/child.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <utility>

namespace gantry::supervisor {
namespace {

constexpr int cannot_run = 127;

void die_with(pid_t parent) {
  if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != parent) _exit(cannot_run);
}

sigset_t set_of(std::initializer_list<int> signals) {
  sigset_t set;
  sigemptyset(&set);
  for (const int one : signals) sigaddset(&set, one);
  return set;
}

// In the new process, between fork and exec: only what is async-signal-safe.
[[noreturn]] void become(const char* program, char* const* arguments, const sigset_t& blocked, int output,
                         pid_t parent) {
  die_with(parent);
  if (output >= 0) {
    // A terminal's Ctrl-C is for the parent, which ends its hosts in order.
    if (setpgid(0, 0) != 0) _exit(cannot_run);
    if (dup2(output, STDOUT_FILENO) < 0 || dup2(output, STDERR_FILENO) < 0) _exit(cannot_run);
  }
  sigprocmask(SIG_SETMASK, &blocked, nullptr);
  execv(program, arguments);
  constexpr char text[] = "the program can't be run\n";
  [[maybe_unused]] const auto told = write(STDERR_FILENO, text, sizeof text - 1);
  _exit(cannot_run);
}

error failed(const char* what) { return {errc::io, std::string(what) + ": " + std::strerror(errno)}; }

exit_report report_of(int status) {
  if (WIFSIGNALED(status)) return {0, WTERMSIG(status)};
  return {WEXITSTATUS(status), 0};
}

}  // namespace

std::string to_text(const exit_report& how) {
  if (how.signal != 0)
    return std::string("killed by signal ") + std::to_string(how.signal) + " (" + strsignal(how.signal) + ")";
  return "exit code " + std::to_string(how.code);
}

result<child> child::start(const std::string& program, const std::vector<std::string>& arguments,
                           std::initializer_list<int> blocked, bool bare) {
  const auto set = set_of(blocked);
  std::vector<char*> raw;
  for (const auto& a : arguments) raw.push_back(const_cast<char*>(a.c_str()));
  raw.push_back(nullptr);
  int ends[2] = {-1, -1};
  if (!bare) {
    if (pipe2(ends, O_CLOEXEC) != 0) return failed("pipe");
    fcntl(ends[0], F_SETFL, O_NONBLOCK);
  }
  const pid_t parent = getpid();
  const pid_t pid = ::fork();
  if (pid == 0) become(program.c_str(), raw.data(), set, ends[1], parent);
  const auto why = errno;
  if (!bare) close(ends[1]);
  if (pid < 0) {
    if (!bare) close(ends[0]);
    errno = why;
    return failed("fork");
  }
  return child(pid, ends[0]);
}

result<child> child::fork(const std::function<int()>& what, std::initializer_list<int> blocked) {
  const auto set = set_of(blocked);
  const pid_t parent = getpid();
  const pid_t pid = ::fork();
  if (pid < 0) return failed("fork");
  if (pid == 0) {
    die_with(parent);
    sigprocmask(SIG_SETMASK, &set, nullptr);
    std::exit(what());
  }
  return child(pid, -1);
}

child::child(child&& other) noexcept : pid_(std::exchange(other.pid_, -1)), output_(std::exchange(other.output_, -1)) {}

child& child::operator=(child&& other) noexcept {
  std::swap(pid_, other.pid_);
  std::swap(output_, other.output_);
  return *this;
}

child::~child() {
  if (pid_ > 0) {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
  if (output_ >= 0) close(output_);
}

void child::signal(int number) const noexcept {
  if (pid_ > 0) kill(pid_, number);
}

std::optional<exit_report> child::ended() {
  int status = 0;
  if (pid_ <= 0 || waitpid(pid_, &status, WNOHANG) != pid_) return std::nullopt;
  pid_ = -1;
  return report_of(status);
}

}  // namespace gantry::supervisor
