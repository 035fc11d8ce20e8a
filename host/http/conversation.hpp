// One connection's side of HTTP/1.1 without the socket: bytes in, requests out; replies in, bytes out. One request at a
// time; what a client pipelines waits in order.
// Owned by a transport. Thread: the transport's.
#pragma once

#include <cstddef>
#include <deque>
#include <optional>
#include <string>
#include <string_view>

#include "http/wire.hpp"

namespace gantry::http {

class conversation {
 public:
  enum class phase {
    idle,      // between requests: nothing of the next one has come
    head,      // inside request line or headers
    body,      // inside the body
    handling,  // a request waits for its answer
    closing,   // nothing more is read; the connection ends when the output is sent
  };

  explicit conversation(const wire_limits& limits) : limits_(limits) {}

  // Takes bytes that arrived. Ignored while closing.
  void feed(std::string_view bytes);

  // The next request, when one is complete and none is being handled. A message that can't be taken is answered here
  // and begins the closing.
  std::optional<request> next();

  // Answers the request that is being handled. `last`: the connection ends behind it.
  void answer(reply&& with, bool last);

  // Answers whatever comes with this reply and begins the closing: timeouts, refused connections.
  void break_off(reply&& with);

  // Begins the closing without a word.
  void end() noexcept { phase_ = phase::closing; }

  phase now() const noexcept { return phase_; }
  std::size_t unread() const noexcept { return in_.size() - read_; }

  // Output that is not sent yet; empty when all is.
  std::string_view output() const noexcept;
  void sent(std::size_t bytes);
  std::size_t unsent() const noexcept { return unsent_; }

 private:
  bool read_head();
  bool read_body();
  void begin_body();
  void refuse(const refusal& why);
  void send(reply& with, const reply_frame& frame);
  std::string& open_output();

  wire_limits limits_;
  phase phase_ = phase::idle;
  std::string in_;
  std::size_t read_ = 0;     // bytes of in_ that are done with
  std::size_t scanned_ = 0;  // bytes of in_ that hold no end of a head
  message_head head_;
  chunk_reader chunks_;
  reply_frame frame_;
  std::deque<std::string> out_;
  std::size_t out_offset_ = 0;  // bytes of out_.front() that are sent
  std::size_t unsent_ = 0;
};

}  // namespace gantry::http
