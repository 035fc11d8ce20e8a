#include "supervisor/outlet.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace gantry::supervisor {
namespace {

// So much goes into a pipe that has room at all.
constexpr std::size_t a_little = 512;

}  // namespace

// O_NONBLOCK belongs to an open file, not to a descriptor: on `to` itself it would be set for the shell, too, and for
// the host that shares it. So a pipe or a terminal is opened once more.
outlet::outlet(int to, std::function<void(std::uint64_t)> dropped, std::size_t most)
    : file_(to), dropped_(std::move(dropped)), most_(most) {
  struct stat about {};
  if (fstat(to, &about) != 0 || S_ISREG(about.st_mode)) return;
  if (S_ISFIFO(about.st_mode) || S_ISCHR(about.st_mode)) {
    const auto path = "/proc/self/fd/" + std::to_string(to);
    if (const int opened = open(path.c_str(), O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC); opened >= 0) {
      file_ = opened;
      own_ = true;
      return;
    }
  }
  blocks_ = true;
}

outlet::~outlet() {
  if (own_) close(file_);
}

void outlet::put(std::string_view lines) {
  if (waiting() + lines.size() > most_ && waiting() != 0) {
    lines_dropped_ += static_cast<std::uint64_t>(std::count(lines.begin(), lines.end(), '\n'));
    return;
  }
  rest_.append(lines);
  push();
}

bool outlet::has_room() const {
  pollfd one{file_, POLLOUT, 0};
  return poll(&one, 1, 0) == 1;
}

void outlet::write_some() {
  while (waiting() != 0) {
    if (blocks_ && !has_room()) return;
    const auto put = write(file_, rest_.data() + written_, blocks_ ? std::min(waiting(), a_little) : waiting());
    if (put < 0 && errno == EINTR) continue;
    if (put < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return;
    // Nobody reads any more, or the disk is full: what can't be written is nowhere to be kept.
    written_ = put <= 0 ? rest_.size() : written_ + static_cast<std::size_t>(put);
  }
}

void outlet::push() {
  write_some();
  if (waiting() != 0) return;
  rest_.clear();
  written_ = 0;
  if (const auto count = std::exchange(lines_dropped_, 0); count != 0) dropped_(count);
}

bool outlet::finish(std::chrono::milliseconds at_most) {
  const auto until = std::chrono::steady_clock::now() + at_most;
  for (push(); waiting() != 0; push()) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - std::chrono::steady_clock::now());
    pollfd one{file_, POLLOUT, 0};
    if (left.count() <= 0 || poll(&one, 1, static_cast<int>(left.count())) == 0) return false;
  }
  return true;
}

}  // namespace gantry::supervisor
