// Bytes in, one reply out. Boost.Beast frames it and shows only in the source; what two readers might frame differently
// is an error. Owned by a call. Thread: one at a time.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "call/remote/remote_calls.hpp"

namespace gantry::call {

class reply_reader {
 public:
  struct limits {
    std::size_t max_body;
    std::size_t max_headers;
  };
  enum class state { more, complete, failed };

  // `head_only`: the request was HEAD, so no body follows.
  reply_reader(bool head_only, limits at_most);
  ~reply_reader();
  reply_reader(const reply_reader&) = delete;
  reply_reader& operator=(const reply_reader&) = delete;

  state feed(std::string_view bytes);
  // The other side sends no more. Complete only for a body that lasts until the end.
  state end();

  // True once any byte came.
  bool begun() const noexcept { return begun_; }
  // Of a complete reply: another request may follow on this connection.
  bool keeps_connection() const noexcept;
  remote_reply take() noexcept;
  // corrupt (not HTTP, or cut short) or too_large.
  const error& failure() const noexcept { return failure_; }

 private:
  class parser;
  state parse();
  state fail(errc code, std::string text);
  void restart();

  const bool head_only_;
  const limits limits_;
  std::unique_ptr<parser> parser_;
  std::string rest_;  // bytes that the parser wants to see again
  bool begun_ = false;
  unsigned interim_ = 0;  // replies of 1xx
  error failure_;
};

}  // namespace gantry::call
