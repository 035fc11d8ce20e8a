#include "bus/socket/unix_socket.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace gantry::bus::socket {
namespace {

constexpr int waiting_clients = 64;

error refused_by_system(errc code, const std::string& what) { return {code, what + ": " + std::strerror(errno)}; }

struct address {
  sockaddr_un name{};
  descriptor folder;  // keeps the short name of a long path good
};

// A path of more than 107 bytes does not fit; its folder's descriptor makes it short.
result<address> address_of(const std::filesystem::path& path) {
  address out;
  out.name.sun_family = AF_UNIX;
  std::string text = path.string();
  if (text.size() >= sizeof out.name.sun_path) {
    const auto folder = path.parent_path();
    out.folder = descriptor(::open(folder.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!out.folder) return refused_by_system(errc::unavailable, "the folder of the bus socket, " + folder.string());
    text = "/proc/self/fd/" + std::to_string(out.folder.get()) + "/" + path.filename().string();
  }
  if (text.size() >= sizeof out.name.sun_path)
    return error{errc::invalid, "the name of the bus socket is too long: " + path.string()};
  std::memcpy(out.name.sun_path, text.data(), text.size());
  return out;
}

const sockaddr* plain(const address& of) { return reinterpret_cast<const sockaddr*>(&of.name); }

result<descriptor> stream() {
  descriptor out(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!out) return refused_by_system(errc::io, "a socket can't be made");
  return out;
}

// Whoever may rename files in the folder could put a socket of his own there.
result<void> check_folder(const std::filesystem::path& path) {
  const auto folder = path.has_parent_path() ? path.parent_path() : std::filesystem::path(".");
  struct stat found {};
  if (::stat(folder.c_str(), &found) != 0)
    return refused_by_system(errc::invalid, "the folder of the bus socket, " + folder.string());
  if (found.st_uid != ::geteuid() && found.st_uid != 0)
    return error{errc::invalid, "the folder of the bus socket, " + folder.string() +
                                    ", belongs to another user: one of our own is expected"};
  if ((found.st_mode & (S_IWGRP | S_IWOTH)) != 0 && (found.st_mode & S_ISVTX) == 0)
    return error{errc::invalid, "the folder of the bus socket, " + folder.string() +
                                    ", may be written by others: take that away (chmod go-w)"};
  return {};
}

// What lies at the path is removed when it is a socket that nobody serves.
result<void> make_way(const std::filesystem::path& path) {
  struct stat found {};
  if (::lstat(path.c_str(), &found) != 0) {
    if (errno == ENOENT) return {};
    return refused_by_system(errc::io, path.string());
  }
  if (!S_ISSOCK(found.st_mode))
    return error{errc::invalid, path.string() + " is there and is no socket: move it away or name another path"};
  if (auto other = connect_to(path)) {
    const auto who = checked_peer(*other);
    return error{errc::conflict, "another process" + (who ? " (" + std::to_string(who->process) + ")" : std::string()) +
                                     " serves the bus at " + path.string() + ": stop it first"};
  } else if (other.failure().code != errc::unavailable) {
    return std::move(other).failure();
  }
  if (::unlink(path.c_str()) != 0 && errno != ENOENT)
    return refused_by_system(errc::io, "the socket that a dead owner left, " + path.string());
  return {};
}

}  // namespace

descriptor::~descriptor() {
  if (fd_ >= 0) ::close(fd_);
}

result<wake_event> wake_event::make() {
  descriptor fd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!fd) return refused_by_system(errc::io, "an eventfd can't be made");
  return wake_event(std::move(fd));
}

void wake_event::wake() const noexcept { static_cast<void>(::eventfd_write(fd_.get(), 1)); }

void wake_event::clear() const noexcept {
  eventfd_t count = 0;
  static_cast<void>(::eventfd_read(fd_.get(), &count));
}

result<listener_socket> listener_socket::open(const std::filesystem::path& path) {
  if (auto safe = check_folder(path); !safe) return std::move(safe).failure();
  if (auto clear = make_way(path); !clear) return std::move(clear).failure();
  auto fd = stream();
  if (!fd) return std::move(fd).failure();
  auto name = address_of(path);
  if (!name) return std::move(name).failure();
  if (::bind(fd->get(), plain(*name), sizeof name->name) != 0)
    return refused_by_system(errno == EADDRINUSE ? errc::conflict : errc::io, "binding " + path.string());
  listener_socket out(std::move(*fd), path);
  struct stat made {};
  if (::lstat(path.c_str(), &made) != 0) return refused_by_system(errc::io, path.string());
  out.device_ = made.st_dev;
  out.inode_ = made.st_ino;
  // Nobody can connect before it listens, so nobody sees it under another mode.
  if (::chmod(path.c_str(), S_IRUSR | S_IWUSR) != 0) return refused_by_system(errc::io, path.string());
  if (::listen(out.get(), waiting_clients) != 0) return refused_by_system(errc::io, "listening on " + path.string());
  return out;
}

listener_socket::~listener_socket() {
  if (!fd_ || inode_ == 0) return;
  struct stat found {};
  if (::lstat(path_.c_str(), &found) == 0 && found.st_dev == device_ && found.st_ino == inode_) ::unlink(path_.c_str());
}

result<descriptor> listener_socket::accept() const {
  descriptor out(::accept4(fd_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (out) return out;
  const bool gone = errno == EAGAIN || errno == ECONNABORTED || errno == EINTR;
  return refused_by_system(gone ? errc::unavailable : errc::io, "accepting a client");
}

result<descriptor> connect_to(const std::filesystem::path& path) {
  auto fd = stream();
  if (!fd) return fd;
  auto name = address_of(path);
  if (!name) return std::move(name).failure();
  if (::connect(fd->get(), plain(*name), sizeof name->name) == 0) return fd;
  // EAGAIN: somebody listens, and too many are waiting for him.
  const auto code = errno == ENOENT || errno == ECONNREFUSED ? errc::unavailable
                    : errno == EAGAIN || errno == EINTR      ? errc::timeout
                                                             : errc::io;
  return refused_by_system(code, "connecting to the bus at " + path.string());
}

result<peer> checked_peer(const descriptor& of) {
  ucred found{};
  socklen_t size = sizeof found;
  if (::getsockopt(of.get(), SOL_SOCKET, SO_PEERCRED, &found, &size) != 0)
    return refused_by_system(errc::io, "asking who the peer is");
  if (found.uid != ::geteuid() && found.uid != 0)
    return error{errc::conflict, "process " + std::to_string(found.pid) + " runs as user " + std::to_string(found.uid) +
                                     ": user " + std::to_string(::geteuid()) + " or root is expected"};
  return peer{found.pid, found.uid};
}

result<std::size_t> send_some(const descriptor& to, std::string_view bytes) {
  const auto sent = ::send(to.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  if (sent >= 0) return static_cast<std::size_t>(sent);
  if (errno == EAGAIN || errno == EINTR) return std::size_t{0};
  return refused_by_system(errc::unavailable, "sending");
}

result<std::size_t> receive_some(const descriptor& from, char* to, std::size_t size) {
  const auto got = ::recv(from.get(), to, size, MSG_DONTWAIT);
  if (got > 0) return static_cast<std::size_t>(got);
  if (got == 0) return error{errc::unavailable, "the other side has closed the connection"};
  if (errno == EAGAIN || errno == EINTR) return std::size_t{0};
  return refused_by_system(errc::unavailable, "receiving");
}

void wait_for_accept(const listener_socket& on, const wake_event& event, std::chrono::milliseconds longest) {
  pollfd both[2] = {{event.get(), POLLIN, 0}, {on.get(), POLLIN, 0}};
  ::poll(both, 2, static_cast<int>(longest.count()));
}

ready wait_for(const descriptor& stream, bool reading, bool writing, const wake_event& event,
               std::chrono::milliseconds longest) {
  pollfd both[2] = {{event.get(), POLLIN, 0}, {stream.get(), 0, 0}};
  if (reading) both[1].events |= POLLIN;
  if (writing) both[1].events |= POLLOUT;
  const auto wait = static_cast<int>(std::clamp<std::int64_t>(longest.count(), 0, 60'000));
  if (::poll(both, 2, wait) <= 0) return {};
  const bool broken = (both[1].revents & (POLLERR | POLLHUP | POLLNVAL)) != 0;
  ready out;
  out.woken = (both[0].revents & POLLIN) != 0;
  // What a peer sent before it went is still read; without a wish to read, its end is met by writing.
  out.readable = reading && ((both[1].revents & POLLIN) != 0 || broken);
  out.writable = (both[1].revents & POLLOUT) != 0 || (broken && !reading);
  return out;
}

}  // namespace gantry::bus::socket
