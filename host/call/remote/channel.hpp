// One connection to another host, plain or TLS, with the bytes of one request and one reply at a time.
// Owned by a connection_pool, or by the call that has taken it. Thread: one at a time.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "call/remote/tcp_socket.hpp"
#include "call/remote/tls.hpp"

namespace gantry::call {

// How a channel speaks TLS. Null context: not at all.
struct tls_choice {
  std::shared_ptr<const tls_context> context;
  std::string server_name;
};

class channel {
 public:
  // Connects, with the TLS handshake. Errors: timeout, unavailable, io.
  static result<std::unique_ptr<channel>> open(const socket_address& to, const tls_choice& how, const deadline& by);

  explicit channel(tcp_socket&& over) : socket_(std::move(over)) {}
  channel(const channel&) = delete;
  channel& operator=(const channel&) = delete;

  // Begins a request: nothing of it is sent yet.
  void begin() noexcept;

  // Sends bytes of the request: ok, timed_out or broken. When the other side answers before it has read all, it stops
  // and is ok; whole() is false then.
  io send(std::string_view bytes, const deadline& by);

  // Receives at least one byte of the reply: ok, ended, timed_out or broken.
  io receive(char* to, std::size_t size, std::size_t& got, const deadline& by);

  // False when no byte of the request has left: the other side can't have seen it.
  bool touched() const noexcept { return touched_; }
  // False when the request was cut short.
  bool whole() const noexcept { return whole_; }
  // True when neither bytes nor the end came since the last reply.
  bool quiet() const noexcept { return socket_.quiet(); }
  // True when the other side has refused us in TLS, which it does before it reads a request.
  bool refused() const noexcept { return refused_; }
  // Why the last operation was broken.
  std::string reason() const;

 private:
  io push(std::string_view& bytes, const deadline& by);
  io decrypt_or_fetch(char* to, std::size_t size, std::size_t& got, const deadline& by);

  tcp_socket socket_;
  std::unique_ptr<tls_session> tls_;
  bool touched_ = false;
  bool whole_ = true;
  bool refused_ = false;
  bool answered_ = false;  // ever: the handshake's last word has come
};

}  // namespace gantry::call
