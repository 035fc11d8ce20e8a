#include "child.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <utility>

namespace gantry::bus::socket::testing {

child::child(const std::vector<std::string>& arguments) {
  int in[2] = {-1, -1};
  int out[2] = {-1, -1};
  if (::pipe2(in, O_CLOEXEC) != 0 || ::pipe2(out, O_CLOEXEC) != 0) return;
  std::vector<std::string> all{BUS_PROCESS};
  all.insert(all.end(), arguments.begin(), arguments.end());
  std::vector<char*> raw;
  for (auto& one : all) raw.push_back(one.data());
  raw.push_back(nullptr);
  pid_ = ::fork();
  if (pid_ == 0) {
    ::dup2(in[0], STDIN_FILENO);
    ::dup2(out[1], STDOUT_FILENO);
    ::execv(raw[0], raw.data());
    ::_exit(127);
  }
  ::close(in[0]);
  ::close(out[1]);
  to_ = in[1];
  from_ = out[0];
}

child::~child() {
  kill();
  if (from_ >= 0) ::close(from_);
}

std::optional<std::uint64_t> child::next() {
  while (true) {
    if (const auto end = heard_.find('\n'); end != std::string::npos) {
      const auto number = std::stoull(heard_.substr(0, end));
      heard_.erase(0, end + 1);
      return number;
    }
    char some[4096];
    const auto got = ::read(from_, some, sizeof some);
    if (got <= 0) return std::nullopt;
    heard_.append(some, static_cast<std::size_t>(got));
  }
}

void child::kill() {
  if (pid_ > 0) {
    ::kill(pid_, SIGKILL);
    ::waitpid(std::exchange(pid_, -1), nullptr, 0);
  }
  if (to_ >= 0) ::close(std::exchange(to_, -1));
}

void child::signal(int number) const { ::kill(pid_, number); }

int child::finish() {
  if (to_ >= 0) ::close(std::exchange(to_, -1));
  int status = -1;
  if (pid_ > 0) ::waitpid(std::exchange(pid_, -1), &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

}  // namespace gantry::bus::socket::testing
