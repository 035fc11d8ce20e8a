// HTTP/1.1 as bytes (RFC 9112), read strictly: whatever two readers might frame differently is refused.
// Used by conversation. Pure functions and values; thread: any.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "http/endpoint.hpp"

namespace gantry::http {

struct wire_limits {
  std::size_t max_body = 1024 * 1024;
  std::size_t max_headers = 16 * 1024;
};

// Why a message was not taken: the status to answer with, and a sentence.
struct refusal {
  int status = 400;
  std::string detail;
};

// A request's head, with what its framing headers said.
struct message_head {
  request start;  // all but the body and the peer
  bool http10 = false;
  bool keep_alive = true;
  bool chunked = false;
  bool expects_continue = false;
  std::uint64_t content_length = 0;
};

// Reads a head: request line and header lines, each with its CRLF, without the empty line at the end.
std::optional<refusal> parse_head(std::string_view block, const wire_limits& limits, message_head& out);

// Joins a chunked body. Trailers are checked for size and dropped.
class chunk_reader {
 public:
  // Takes bytes off the front of `in` and appends data to `body`, until the body is complete or `in` is empty.
  std::optional<refusal> read(std::string_view& in, const wire_limits& limits, std::string& body);
  bool complete() const noexcept { return stage_ == stage::complete; }

 private:
  enum class stage { size, data, data_end, trailer, complete };
  std::optional<refusal> end_line(const wire_limits& limits, std::size_t body_size);

  stage stage_ = stage::size;
  std::string line_;  // the line that is being read
  std::uint64_t left_ = 0;
  std::size_t trailer_bytes_ = 0;
};

// What a reply must know of its request.
struct reply_frame {
  bool head_only = false;  // the request was HEAD
  bool http10 = false;
  bool close = false;
};

// Appends status line and headers to `out`. A reply that HTTP does not allow is first replaced by a 500. Returns
// whether the body belongs on the wire.
bool append_reply_head(std::string& out, reply& answer, const reply_frame& frame, std::string_view date);

// "Sun, 06 Nov 1994 08:49:37 GMT"
std::string http_date(std::int64_t unix_seconds);

}  // namespace gantry::http
