#include "call/remote/tcp_socket.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <ctime>
#include <system_error>
#include <utility>

namespace gantry::call {
namespace {

std::string words(int code) { return std::generic_category().message(code); }

// Longer waits are cut into pieces, which keeps the numbers far from what timespec can't hold.
constexpr std::int64_t longest_wait_us = 3'600'000'000;

}  // namespace

result<tcp_socket> tcp_socket::connect(const socket_address& to, const deadline& by) {
  tcp_socket made(::socket(to.bytes.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (made.fd_ < 0) return error{errc::io, "no socket: " + words(errno)};
  const int on = 1;
  ::setsockopt(made.fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (::connect(made.fd_, reinterpret_cast<const sockaddr*>(&to.bytes), to.size) == 0) return made;
  if (errno != EINPROGRESS && errno != EINTR) return error{errc::unavailable, words(errno)};
  if (made.wait(POLLOUT, by) == 0) return error{errc::timeout, "no answer"};
  int failure = 0;
  socklen_t size = sizeof failure;
  ::getsockopt(made.fd_, SOL_SOCKET, SO_ERROR, &failure, &size);
  if (failure != 0) return error{errc::unavailable, words(failure)};
  return made;
}

tcp_socket::tcp_socket(tcp_socket&& other) noexcept : fd_(std::exchange(other.fd_, -1)), error_(other.error_) {}

tcp_socket::~tcp_socket() {
  if (fd_ >= 0) ::close(fd_);
}

io tcp_socket::send(std::string_view& bytes) noexcept {
  ssize_t sent = 0;
  do {
    sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
  } while (sent < 0 && errno == EINTR);
  if (sent < 0) {
    if (errno == EAGAIN || errno == EWOULDBLOCK) return io::blocked;
    error_ = errno;
    return io::broken;
  }
  bytes.remove_prefix(static_cast<std::size_t>(sent));
  return io::ok;
}

io tcp_socket::receive(char* to, std::size_t size, std::size_t& got) noexcept {
  ssize_t came = 0;
  do {
    came = ::recv(fd_, to, size, 0);
  } while (came < 0 && errno == EINTR);
  if (came < 0) {
    if (errno == EAGAIN || errno == EWOULDBLOCK) return io::blocked;
    error_ = errno;
    return io::broken;
  }
  got = static_cast<std::size_t>(came);
  return came == 0 ? io::ended : io::ok;
}

short tcp_socket::wait(short events, const deadline& by) const noexcept {
  pollfd what[] = {{fd_, events, 0}, {by.off_event(), POLLIN, 0}};
  for (;;) {
    const auto left = std::min(by.left_us(), longest_wait_us);
    if (left == 0) return 0;
    const timespec span{left / 1'000'000, (left % 1'000'000) * 1000};
    const int count = ::ppoll(what, 2, &span, nullptr);
    if (count > 0 && what[0].revents != 0) return what[0].revents;
    // A failure of poll shows itself in the operation that follows.
    if (count < 0 && errno != EINTR) return events;
  }
}

bool tcp_socket::quiet() const noexcept {
  char byte = 0;
  return ::recv(fd_, &byte, 1, MSG_PEEK) < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
}

std::string tcp_socket::reason() const { return words(error_); }

}  // namespace gantry::call
