#include "runtime/target.hpp"

#include <charconv>
#include <random>

namespace gantry::runtime {
namespace {

bool is_lower_hex(char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); }

std::uint64_t random_word() {
  thread_local std::uint64_t state = [] {
    std::random_device entropy;
    return (std::uint64_t{entropy()} << 32) | entropy();
  }();
  // splitmix64
  std::uint64_t z = (state += 0x9E37'79B9'7F4A'7C15ULL);
  z = (z ^ (z >> 30)) * 0xBF58'476D'1CE4'E5B9ULL;
  z = (z ^ (z >> 27)) * 0x94D0'49BB'1331'11EBULL;
  return z ^ (z >> 31);
}

void put_hex(std::uint64_t v, char* at) {
  constexpr char digits[] = "0123456789abcdef";
  for (int i = 15; i >= 0; --i, v >>= 4) at[i] = digits[v & 0xF];
}

bool is_traceparent(std::string_view text) {
  if (text.size() != 55 || text[2] != '-' || text[35] != '-' || text[52] != '-') return false;
  bool zero = true;
  for (std::size_t i = 3; i < 35; ++i) {
    if (!is_lower_hex(text[i])) return false;
    zero = zero && text[i] == '0';
  }
  return !zero;
}

}  // namespace

std::string child_trace(std::string_view parent) {
  std::string out = "00-00000000000000000000000000000000-0000000000000000-01";
  if (is_traceparent(parent)) {
    out.replace(3, 32, parent.substr(3, 32));
  } else {
    put_hex(random_word(), &out[3]);
    put_hex(random_word() | 1U, &out[19]);
  }
  put_hex(random_word() | 1U, &out[36]);
  return out;
}

std::int64_t timeout_of(std::string_view header, std::int64_t longest_us) {
  std::int64_t ms = 0;
  const auto [end, code] = std::from_chars(header.data(), header.data() + header.size(), ms);
  if (header.empty() || code != std::errc{} || end != header.data() + header.size() || ms < 0) return longest_us;
  return ms > longest_us / 1000 ? longest_us : ms * 1000;
}

}  // namespace gantry::runtime
