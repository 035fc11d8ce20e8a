// Unix sockets as this room needs them: streams between processes of one user.
// Thread: any; a stream has one reader and one writer at a time.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>

#include "base/result.hpp"

namespace gantry::bus::socket {

class descriptor {
 public:
  descriptor() = default;
  explicit descriptor(int fd) : fd_(fd) {}
  descriptor(descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  descriptor& operator=(descriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~descriptor();
  int get() const noexcept { return fd_; }
  explicit operator bool() const noexcept { return fd_ >= 0; }

 private:
  int fd_ = -1;
};

// Wakes a thread that waits in poll.
class wake_event {
 public:
  static result<wake_event> make();
  void wake() const noexcept;
  void clear() const noexcept;
  int get() const noexcept { return fd_.get(); }

 private:
  explicit wake_event(descriptor fd) : fd_(std::move(fd)) {}
  descriptor fd_;
};

// A socket that listens. Its file goes with it, unless somebody has put another one there.
class listener_socket {
 public:
  // Replaces a socket on which nobody listens any more. conflict, invalid, io: as serve_bus says.
  static result<listener_socket> open(const std::filesystem::path& path);
  listener_socket(listener_socket&&) = default;
  listener_socket& operator=(listener_socket&&) = delete;
  ~listener_socket();
  // unavailable: nobody is waiting any more; io: no more files can be opened, or the like.
  result<descriptor> accept() const;
  int get() const noexcept { return fd_.get(); }

 private:
  listener_socket(descriptor fd, std::filesystem::path path) : fd_(std::move(fd)), path_(std::move(path)) {}
  descriptor fd_;
  std::filesystem::path path_;
  dev_t device_ = 0;
  ino_t inode_ = 0;
};

// unavailable: nobody listens there; timeout: somebody does, and is busy; io.
result<descriptor> connect_to(const std::filesystem::path& path);

// The process at the other end.
struct peer {
  pid_t process = 0;
  uid_t user = 0;
};
// conflict: it is neither our user's nor root's.
result<peer> checked_peer(const descriptor& of);

// Moves what can be moved without waiting; 0: nothing now. unavailable: the other side has gone.
result<std::size_t> send_some(const descriptor& to, std::string_view bytes);
result<std::size_t> receive_some(const descriptor& from, char* to, std::size_t size);

// Waits until one of them is ready or the time is over.
struct ready {
  bool readable = false;
  bool writable = false;
  bool woken = false;
};
ready wait_for(const descriptor& stream, bool reading, bool writing, const wake_event& event,
               std::chrono::milliseconds longest);
// Waits until somebody wants to connect, the event is set, or the time is over.
void wait_for_accept(const listener_socket& on, const wake_event& event, std::chrono::milliseconds longest);

}  // namespace gantry::bus::socket
