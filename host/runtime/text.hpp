// Between the ABI's strings and the host's, and the error text that each thread keeps for its plugin.
// Thread: any.
#pragma once

#include <string>
#include <string_view>

#include "gantry/abi/types.h"

namespace gantry::runtime {

inline std::string_view view(gantry_str s) noexcept { return {s.ptr, s.len}; }
inline gantry_str str(std::string_view s) noexcept { return {s.data(), s.size()}; }

// Remembers why the last call of this thread failed, and returns `code`.
gantry_status fail(gantry_status code, std::string_view text);
std::string_view last_failure() noexcept;

// "OK", "RETRY", ...; a value that the ABI does not name is "garbage status 77".
std::string status_name(gantry_status status);
bool is_known(gantry_status status) noexcept;

// True while this thread runs plugin code inside a transaction: waiting is refused there.
bool inside_transaction() noexcept;
class transaction_mark {
 public:
  transaction_mark() noexcept;
  ~transaction_mark();
  transaction_mark(const transaction_mark&) = delete;
  transaction_mark& operator=(const transaction_mark&) = delete;

 private:
  bool before_;
};

// Checks that `text` is one JSON value (RFC 8259): structure, strings and numbers, at most 64 levels. Says what is wrong, or
// nothing.
std::string_view json_fault(std::string_view text) noexcept;

}  // namespace gantry::runtime
