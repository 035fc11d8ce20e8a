#include "runtime/target.hpp"

#include <random>

namespace gantry::runtime {
namespace {

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

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
    if (hex_value(text[i]) < 0 || (text[i] >= 'A' && text[i] <= 'F')) return false;
    zero = zero && text[i] == '0';
  }
  return !zero;
}

}  // namespace

bool percent_decode(std::string_view text, std::string& out, bool plus_is_space) {
  out.clear();
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '+' && plus_is_space) {
      out.push_back(' ');
    } else if (text[i] != '%') {
      out.push_back(text[i]);
    } else {
      if (i + 2 >= text.size()) return false;
      const int high = hex_value(text[i + 1]);
      const int low = hex_value(text[i + 2]);
      if (high < 0 || low < 0 || (high == 0 && low == 0)) return false;
      out.push_back(static_cast<char>(high * 16 + low));
      i += 2;
    }
  }
  return true;
}

bool parse_query(std::string_view query, std::vector<std::pair<std::string, std::string>>& out) {
  while (!query.empty()) {
    const auto part = query.substr(0, query.find('&'));
    query.remove_prefix(std::min(query.size(), part.size() + 1));
    if (part.empty()) continue;
    const auto equals = part.find('=');
    auto& [name, content] = out.emplace_back();
    if (!percent_decode(part.substr(0, equals), name, true)) return false;
    if (equals != std::string_view::npos && !percent_decode(part.substr(equals + 1), content, true)) return false;
  }
  return true;
}

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

}  // namespace gantry::runtime
