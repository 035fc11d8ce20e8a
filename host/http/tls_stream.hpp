// TLS of one connection as a server, without its socket: what comes goes in, plain bytes come out; plain bytes go in,
// what is to be sent comes out. The handshake is a part of that, so a client that is slow in it holds up nobody.
// Owned by a channel. Thread: its transport's.
#pragma once

#include <openssl/types.h>

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace gantry::http {

class tls_stream {
 public:
  explicit tls_stream(SSL_CTX* context);
  tls_stream(const tls_stream&) = delete;
  tls_stream& operator=(const tls_stream&) = delete;

  enum class state {
    handshake,
    open,
    ended,   // open, but the client has said that it sends no more
    failed,  // for good: output() ends with an alert, reason() says why
  };
  state now() const noexcept { return state_; }
  // Nothing has arrived yet.
  bool untouched() const noexcept { return untouched_; }

  // Takes in what came from the socket, and goes on with the handshake.
  void arrived(std::string_view bytes);
  // Decrypts into `to`, which must not be what arrived. 0: no more until more arrives.
  std::size_t read(std::span<char> to);

  // Encrypts. Only while open or ended.
  void write(std::string_view plain);
  // Says that nothing more will be sent. No effect during the handshake, or a second time.
  void finish();

  // For the socket.
  std::string_view output() const noexcept { return std::string_view(output_).substr(offset_); }
  void sent(std::size_t bytes);

  // Why it has failed, for people.
  const std::string& reason() const noexcept { return reason_; }
  // Who the client is by its certificate, which is verified; empty: it has shown none. Known once open.
  const std::string& peer() const noexcept { return peer_; }

 private:
  void shake_hands();
  void take_result(int done);
  void fail();
  std::string describe() const;
  void collect();

  std::unique_ptr<SSL, void (*)(SSL*)> session_;
  BIO* incoming_;  // the session's, as is outgoing_
  BIO* outgoing_;
  state state_ = state::handshake;
  bool untouched_ = true;
  std::string output_;
  std::size_t offset_ = 0;  // bytes of output_ that are sent
  std::string reason_;
  std::string peer_;
};

}  // namespace gantry::http
