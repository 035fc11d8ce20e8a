// A server that misbehaves as its test says: a script gets each connection on a thread of its own.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

namespace gantry::call {

// A port of this machine. Connections are refused until somebody listens on it.
class bound_port {
 public:
  bound_port() : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof at;
    if (::bind(fd_, reinterpret_cast<const sockaddr*>(&at), size) != 0 ||
        ::getsockname(fd_, reinterpret_cast<sockaddr*>(&at), &size) != 0)
      throw std::runtime_error("no port");
    port_ = ntohs(at.sin_port);
  }
  bound_port(bound_port&& other) noexcept : fd_(std::exchange(other.fd_, -1)), port_(other.port_) {}
  bound_port& operator=(bound_port&&) = delete;
  ~bound_port() {
    if (fd_ >= 0) ::close(fd_);
  }
  int fd() const { return fd_; }
  std::uint16_t port() const { return port_; }
  void listen(int backlog) const { ::listen(fd_, backlog); }

 private:
  int fd_;
  std::uint16_t port_ = 0;
};

class raw_server {
 public:
  class connection {
   public:
    connection(raw_server& of, int fd, std::size_t number) : number_of_connection(number), server_(of), fd_(fd) {}
    ~connection() { close(); }
    connection(const connection&) = delete;
    connection& operator=(const connection&) = delete;

    // One request with its body; empty when the client has gone.
    std::string request() {
      for (;;) {
        const auto end = in_.find("\r\n\r\n");
        if (end != std::string::npos) {
          const auto length = in_.find("content-length: ");
          const auto body = length < end ? static_cast<std::size_t>(std::stoul(in_.substr(length + 16))) : 0;
          if (in_.size() >= end + 4 + body) {
            auto one = in_.substr(0, end + 4 + body);
            in_.erase(0, end + 4 + body);
            return one;
          }
        }
        char buffer[65536];
        const auto size = ::recv(fd_, buffer, sizeof buffer, 0);
        if (size <= 0) return {};
        in_.append(buffer, static_cast<std::size_t>(size));
      }
    }
    bool send(std::string_view bytes) {
      while (!bytes.empty()) {
        const auto size = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (size <= 0) return false;
        bytes.remove_prefix(static_cast<std::size_t>(size));
      }
      return true;
    }
    void answer(std::string_view body) {
      send("HTTP/1.1 200 OK\r\ncontent-length: " + std::to_string(body.size()) + "\r\n\r\n" + std::string(body));
    }
    // Waits until the test is over.
    void hold() { server_.stay(this); }
    void close() {
      server_.forget(this);
      if (fd_ >= 0) ::close(std::exchange(fd_, -1));
    }
    // With a reset instead of an orderly end.
    void reset() {
      const linger at_once{1, 0};
      ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
      close();
    }
    int fd() const { return fd_; }
    bool stopping() const { return server_.stopping_; }

    const std::size_t number_of_connection;  // from 1

   private:
    raw_server& server_;
    int fd_;
    std::string in_;
  };
  using script = std::function<void(connection&)>;

  explicit raw_server(script what) : raw_server(std::move(what), bound_port()) {}
  raw_server(script what, bound_port&& at) : script_(std::move(what)), at_(std::move(at)) {
    at_.listen(64);
    acceptor_ = std::thread([this] { accept_all(); });
  }
  raw_server(const raw_server&) = delete;
  raw_server& operator=(const raw_server&) = delete;
  ~raw_server() {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
      for (auto* const one : open_) ::shutdown(one->fd(), SHUT_RDWR);
    }
    over_.notify_all();
    ::shutdown(at_.fd(), SHUT_RDWR);
    acceptor_.join();
    for (auto& one : threads_) one.join();
  }

  std::uint16_t port() const { return at_.port(); }
  std::size_t accepted() const { return accepted_; }

 private:
  void accept_all() {
    for (;;) {
      const int fd = ::accept4(at_.fd(), nullptr, nullptr, SOCK_CLOEXEC);
      if (fd < 0) return;
      const auto number = ++accepted_;
      threads_.emplace_back([this, fd, number] {
        connection one(*this, fd, number);
        {
          const std::lock_guard lock(mutex_);
          open_.push_back(&one);
          if (stopping_) ::shutdown(fd, SHUT_RDWR);
        }
        script_(one);
      });
    }
  }
  void stay(connection*) {
    std::unique_lock lock(mutex_);
    over_.wait(lock, [this] { return stopping_.load(); });
  }
  void forget(connection* which) {
    const std::lock_guard lock(mutex_);
    std::erase(open_, which);
  }

  const script script_;
  const bound_port at_;
  std::mutex mutex_;
  std::condition_variable over_;
  std::vector<connection*> open_;  // guarded
  std::atomic<bool> stopping_{false};
  std::atomic<std::size_t> accepted_{0};
  std::vector<std::thread> threads_;
  std::thread acceptor_;
};

}  // namespace gantry::call
