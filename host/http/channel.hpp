// The bytes of one connection between its socket and its conversation, plain or with TLS. Never blocks.
// Owned by a connection. Thread: its transport's.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "http/conversation.hpp"
#include "http/tls_stream.hpp"

namespace gantry::http {

// Two buffers that all channels of a thread read into.
struct channel_buffers {
  std::span<char> arrived;
  std::span<char> plain;  // used by TLS only
};

class channel {
 public:
  // Does not own the descriptor. `tls`: null for a plain connection.
  channel(int fd, std::unique_ptr<tls_stream> tls) : fd_(fd), tls_(std::move(tls)) {}

  enum class arrival {
    some,    // or nothing yet
    ended,   // the client sends no more
    broken,  // the connection is of no use any more
  };
  // Feeds what one read of the socket gives. A client that fails at TLS is answered as far as it can be, and the
  // conversation begins its closing.
  arrival receive(conversation& to, const channel_buffers& with);

  // Sends what the conversation has. How many bytes went; none: the client can't be reached any more.
  std::optional<std::size_t> send(conversation& from);

  // Bytes that the socket has not taken yet, of those that can be sent.
  std::size_t unsent(const conversation& from) const noexcept;

  // TLS whose handshake goes on: nothing of the conversation can be sent yet.
  bool handshaking() const noexcept { return tls_ && tls_->now() == tls_stream::state::handshake; }
  // Why the handshake has failed; empty: it has not.
  const std::string& refusal() const noexcept { return refusal_; }
  // Says why a handshake that goes on will not be waited for.
  void give_up(std::string_view why) { refusal_ = why; }
  // Who the client is by its verified certificate; empty: not known.
  std::string peer() const { return tls_ ? tls_->peer() : std::string(); }

  // Says behind everything sent so far that no more comes. False: the client can't be reached any more.
  bool finish();

 private:
  arrival decrypt(std::string_view bytes, conversation& to, std::span<char> with);
  std::optional<std::size_t> pass(std::string_view bytes);
  std::optional<std::size_t> send_plain(conversation& from);
  std::optional<std::size_t> send_tls(conversation& from);

  int fd_;
  std::unique_ptr<tls_stream> tls_;
  std::string refusal_;
};

}  // namespace gantry::http
