// One child process, as a rule with its output in a pipe. It ends with its parent: the kernel kills it when that dies.
// Owned by the supervisor. Thread: main, the one that started it (its end would end the child).
#pragma once

#include <sys/types.h>

#include <functional>
#include <initializer_list>
#include <optional>
#include <string>
#include <vector>

#include "base/result.hpp"

namespace gantry::supervisor {

// How a process ended.
struct exit_report {
  int code = 0;    // of exit
  int signal = 0;  // not 0: it was killed
  bool clean() const noexcept { return signal == 0 && code == 0; }
};
std::string to_text(const exit_report& how);

class child {
 public:
  // Starts `program`, a path, with these arguments, its name for itself first; stdout and stderr go to output().
  // `blocked`: the signals that are blocked in it from its first moment on, and no other, for a program that waits for
  // them itself. io: no process or pipe could be made. A program that can't be run ends with code 127. `bare`: its
  // output goes where this process's goes, and it stays in this one's process group, so that a terminal means it as
  // well.
  static result<child> start(const std::string& program, const std::vector<std::string>& arguments,
                             std::initializer_list<int> blocked = {}, bool bare = false);
  // The same, bare, with a copy of this process that runs `what` and ends with the code that it returns. Only while
  // this process has no other thread.
  static result<child> fork(const std::function<int()>& what, std::initializer_list<int> blocked = {});

  child(child&& other) noexcept;
  child& operator=(child&& other) noexcept;
  child(const child&) = delete;
  child& operator=(const child&) = delete;
  ~child();  // kills it if it still runs, and waits for its end

  pid_t pid() const noexcept { return pid_; }
  int output() const noexcept { return output_; }  // to read; does not block; -1: bare

  // Does nothing once it has ended.
  void signal(int number) const noexcept;
  // How it ended; nothing while it runs. Does not wait.
  std::optional<exit_report> ended();

 private:
  child(pid_t pid, int output) noexcept : pid_(pid), output_(output) {}

  pid_t pid_ = -1;  // -1: reaped, or moved away
  int output_ = -1;
};

}  // namespace gantry::supervisor
