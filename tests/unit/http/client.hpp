// A blocking socket that speaks raw bytes to an endpoint under test. What it sends and receives may be wrapped.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

namespace gantry::http {

class client {
 public:
  explicit client(std::uint16_t port) : fd_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(port);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::connect(fd_, reinterpret_cast<sockaddr*>(&to), sizeof to) != 0) throw std::runtime_error("connect failed");
  }
  client(client&& other) noexcept : fd_(std::exchange(other.fd_, -1)), rest_(std::move(other.rest_)) {}
  client& operator=(client&&) = delete;
  virtual ~client() { hang_up(); }

  virtual void send(std::string_view bytes) { put(bytes); }
  virtual void send_no_more() { ::shutdown(fd_, SHUT_WR); }
  void put(std::string_view bytes) {
    while (!bytes.empty()) {
      const auto size = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (size <= 0) return;
      bytes.remove_prefix(static_cast<std::size_t>(size));
    }
  }
  void hang_up() {
    if (fd_ >= 0) ::close(std::exchange(fd_, -1));
  }
  // What is put goes out at once, in a segment of its own.
  void no_delay() {
    const int on = 1;
    ::setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  }
  // With a reset instead of an orderly end.
  void reset() {
    const linger at_once{1, 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    hang_up();
  }

  // One reply with its body, as its content-length says; what came when the connection ended before.
  std::string receive() {
    std::string all = std::exchange(rest_, {});
    while (true) {
      const auto end = all.find("\r\n\r\n");
      if (end != std::string::npos) {
        const auto length = all.find("content-length: ");
        const auto body = length < end ? static_cast<std::size_t>(std::stoul(all.substr(length + 16))) : 0;
        if (all.size() >= end + 4 + body) {
          rest_ = all.substr(end + 4 + body);
          return all.substr(0, end + 4 + body);
        }
      }
      if (!receive_into(all)) return all;
    }
  }

  // Everything until the other side ends.
  std::string receive_all() {
    std::string all = std::exchange(rest_, {});
    while (receive_into(all)) {
    }
    return all;
  }

 protected:
  // Appends what comes next. False: the other side has ended.
  virtual bool receive_into(std::string& all) { return take(all); }
  bool take(std::string& all) {
    char buffer[65536];
    const auto size = ::recv(fd_, buffer, sizeof buffer, 0);
    if (size <= 0) return false;
    all.append(buffer, static_cast<std::size_t>(size));
    return true;
  }

 private:
  int fd_;
  std::string rest_;
};

}  // namespace gantry::http
