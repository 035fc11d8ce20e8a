#include "runtime/text.hpp"

#include <array>
#include <bit>
#include <cctype>
#include <cstdint>
#include <cstring>

namespace gantry::runtime {
namespace {

thread_local std::string failure;
thread_local bool in_transaction = false;

constexpr std::array<std::string_view, 13> names = {"OK",      "RETRY",       "REJECT",  "NOT_FOUND", "INVALID",
                                                    "CONFLICT", "REFUSED",     "UNAVAILABLE", "TIMEOUT", "TOO_LARGE",
                                                    "FAILED",  "UNSUPPORTED", "DONE"};

// Walks over JSON without building anything.
class scanner {
 public:
  explicit scanner(std::string_view text) : at_(text.data()), end_(at_ + text.size()) {}

  std::string_view run() {
    space();
    if (auto wrong = value(0); !wrong.empty()) return wrong;
    space();
    return at_ == end_ ? std::string_view{} : "text behind the value";
  }

 private:
  void space() {
    while (at_ != end_ && (*at_ == ' ' || *at_ == '\t' || *at_ == '\n' || *at_ == '\r')) ++at_;
  }
  bool take(char c) {
    if (at_ == end_ || *at_ != c) return false;
    ++at_;
    return true;
  }
  std::string_view word(std::string_view w) {
    if (static_cast<std::size_t>(end_ - at_) < w.size() || std::string_view(at_, w.size()) != w) return "unknown word";
    at_ += w.size();
    return {};
  }
  std::string_view string() {
    ++at_;
    while (at_ != end_) {
      plain();
      if (at_ == end_) break;
      const auto c = static_cast<unsigned char>(*at_++);
      if (c == '"') return {};
      if (c < 0x20) return "control character in a string";
      if (c == '\\') {
        if (at_ == end_) break;
        const char e = *at_++;
        if (e == 'u') {
          for (int i = 0; i < 4; ++i, ++at_)
            if (at_ == end_ || !std::isxdigit(static_cast<unsigned char>(*at_))) return "bad \\u escape";
        } else if (std::string_view("\"\\/bfnrt").find(e) == std::string_view::npos) {
          return "unknown escape";
        }
      }
    }
    return "string without end";
  }
  // Passes characters of a string that mean nothing but themselves: eight at a time, to the first that does.
  void plain() {
    constexpr std::uint64_t ones = 0x0101010101010101;
    constexpr std::uint64_t tops = 0x8080808080808080;
    // The top bit of each byte that is zero; bytes above the first such byte may be marked too, which costs only a look.
    constexpr auto zeros = [](std::uint64_t word) { return (word - ones) & ~word & tops; };
    while (end_ - at_ >= 8) {
      std::uint64_t word = 0;
      std::memcpy(&word, at_, sizeof word);
      const std::uint64_t controls = (word - ones * 0x20) & ~word & tops;
      const std::uint64_t found = zeros(word ^ ones * '"') | zeros(word ^ ones * '\\') | controls;
      if (found != 0) {
        if constexpr (std::endian::native == std::endian::little) at_ += std::countr_zero(found) / 8;
        return;
      }
      at_ += 8;
    }
  }
  bool digits() {
    const char* const from = at_;
    while (at_ != end_ && *at_ >= '0' && *at_ <= '9') ++at_;
    return at_ != from;
  }
  std::string_view number() {
    take('-');
    if (!take('0') && !digits()) return "number without digits";
    if (take('.') && !digits()) return "number without decimals";
    if (take('e') || take('E')) {
      if (!take('+')) take('-');
      if (!digits()) return "number without exponent";
    }
    return {};
  }
  std::string_view value(int depth) {
    if (at_ == end_) return "value missing";
    if (depth == 64 && (*at_ == '{' || *at_ == '[')) return "more than 64 levels";
    switch (*at_) {
      case '{': return object(depth);
      case '[': return array(depth);
      case '"': return string();
      case 't': return word("true");
      case 'f': return word("false");
      case 'n': return word("null");
      default: return number();
    }
  }
  std::string_view object(int depth) {
    ++at_;
    space();
    if (take('}')) return {};
    for (;;) {
      space();
      if (at_ == end_ || *at_ != '"') return "member name missing";
      if (auto wrong = string(); !wrong.empty()) return wrong;
      space();
      if (!take(':')) return "':' missing";
      space();
      if (auto wrong = value(depth + 1); !wrong.empty()) return wrong;
      space();
      if (take('}')) return {};
      if (!take(',')) return "',' or '}' missing";
    }
  }
  std::string_view array(int depth) {
    ++at_;
    space();
    if (take(']')) return {};
    for (;;) {
      space();
      if (auto wrong = value(depth + 1); !wrong.empty()) return wrong;
      space();
      if (take(']')) return {};
      if (!take(',')) return "',' or ']' missing";
    }
  }

  const char* at_;
  const char* end_;
};

}  // namespace

gantry_status fail(gantry_status code, std::string_view text) {
  failure.assign(text);
  return code;
}

std::string_view last_failure() noexcept { return failure; }

bool is_known(gantry_status status) noexcept {
  return status >= 0 && static_cast<std::size_t>(status) < names.size();
}

std::string status_name(gantry_status status) {
  if (is_known(status)) return std::string(names[static_cast<std::size_t>(status)]);
  return "garbage status " + std::to_string(status);
}

bool inside_transaction() noexcept { return in_transaction; }
transaction_mark::transaction_mark() noexcept : before_(in_transaction) { in_transaction = true; }
transaction_mark::~transaction_mark() { in_transaction = before_; }

std::string_view json_fault(std::string_view text) noexcept { return scanner(text).run(); }

}  // namespace gantry::runtime
