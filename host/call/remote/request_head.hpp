// The head of a request as bytes, checked: nothing that a plugin gives can end a line or begin another request.
// Values; thread: any.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "call/remote/remote_calls.hpp"

namespace gantry::call {

class request_head {
 public:
  // invalid: method, target, or a header that HTTP does not allow. too_large: beyond max_headers bytes.
  static result<request_head> make(const remote_request& of, std::size_t max_headers);

  // Request line and headers with the empty line at the end, for one attempt.
  // `host`: the address, unless the request came with its own. `key`: see remote_host.
  std::string text(std::string_view host, std::int64_t left_us, std::string_view key = {}) const;

  // May be sent again when it is not known whether it was carried out: GET, HEAD, OPTIONS, PUT, DELETE, or any with an
  // Idempotency-Key.
  bool repeatable() const noexcept { return repeatable_; }
  bool head_only() const noexcept { return head_only_; }

 private:
  std::string line_;
  std::string headers_;
  std::string host_;
  bool repeatable_ = false;
  bool head_only_ = false;
};

}  // namespace gantry::call
