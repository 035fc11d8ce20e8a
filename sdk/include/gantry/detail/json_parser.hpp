// The parser behind json_document. Recursive, bounded by json_limits::max_depth.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <concepts>
#include <limits>

#include "gantry/detail/plain_text.hpp"
#include "gantry/json.hpp"

namespace gantry {

inline json_error::json_error(std::size_t where, std::size_t on_line, std::size_t at, std::string found_text,
                              std::string expected_text)
    : failure(GANTRY_INVALID, "line " + std::to_string(on_line) + ", column " + std::to_string(at) + " (offset " +
                                  std::to_string(where) + "): found " + found_text + ", expected " + expected_text),
      offset(where),
      line(on_line),
      column(at),
      found(std::move(found_text)),
      expected(std::move(expected_text)) {}

inline json_error::json_error(std::string_view source, std::size_t where, std::string found_text,
                              std::string expected_text)
    : json_error(where, 1 + static_cast<std::size_t>(std::ranges::count(source.substr(0, where), '\n')),
                 where - (source.substr(0, where).rfind('\n') + 1) + 1, std::move(found_text),
                 std::move(expected_text)) {}

namespace detail {

class json_parser {
 public:
  json_parser(json_document& out, std::string_view text, json_limits limits)
      : out_(out), text_(text), limits_(limits) {}

  void run() {
    if (text_.size() > std::numeric_limits<std::uint32_t>::max() / 2)
      fail_at(0, "a text beyond 2 GiB", "a shorter one");
    if (text_.starts_with("\xEF\xBB\xBF")) fail_at(0, "a byte order mark", "a value");
    out_.nodes_.reserve(std::min(text_.size() / bytes_a_node + 4, most_reserved));
    skip_space();
    value(0);
    skip_space();
    if (at_ != text_.size()) fail("the end of the text");
  }

 private:
  // Events of every day have about a node for every twelve bytes. A text that has more of them grows the list as usual.
  static constexpr std::size_t bytes_a_node = 12;
  static constexpr std::size_t most_reserved = 4096;

  [[noreturn]] void fail_at(std::size_t where, std::string found, std::string_view expected) const {
    throw json_error(text_, where, std::move(found), std::string(expected));
  }

  [[noreturn]] void fail(std::string_view expected) const { fail_at(at_, found_here(), expected); }

  std::string found_here() const {
    if (at_ >= text_.size()) return "the end of the text";
    const auto byte = static_cast<unsigned char>(text_[at_]);
    if (byte > 0x20 && byte < 0x7F) return std::string("'") + text_[at_] + "'";
    constexpr char digits[] = "0123456789abcdef";
    return std::string("byte 0x") + digits[byte >> 4] + digits[byte & 15];
  }

  char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }

  void skip_space() {
    while (at_ < text_.size()) {
      const char c = text_[at_];
      if (c != ' ' && c != '\n' && c != '\t' && c != '\r') return;
      ++at_;
    }
  }

  std::uint32_t open(json_kind kind) {
    const auto index = static_cast<std::uint32_t>(out_.nodes_.size());
    json_node& node = out_.nodes_.emplace_back();
    node.kind = kind;
    node.begin = static_cast<std::uint32_t>(at_);
    return index;
  }

  json_node& close(std::uint32_t index) {
    json_node& node = out_.nodes_[index];
    node.end = static_cast<std::uint32_t>(out_.nodes_.size());
    node.length = static_cast<std::uint32_t>(at_) - node.begin;
    return node;
  }

  void value(std::size_t depth) {
    switch (peek()) {
      case '{':
        return object(depth);
      case '[':
        return array(depth);
      case '"':
        return string();
      case 't':
        return literal("true", json_kind::boolean, true);
      case 'f':
        return literal("false", json_kind::boolean, false);
      case 'n':
        return literal("null", json_kind::null, false);
      default:
        return number();
    }
  }

  void literal(std::string_view word, json_kind kind, bool value) {
    const std::uint32_t index = open(kind);
    for (const char c : word) {
      if (peek() != c) fail(word);
      ++at_;
    }
    close(index).as.boolean = value;
  }

  void check_depth(std::size_t depth) const {
    if (depth >= limits_.max_depth) {
      fail_at(at_, "nesting deeper than " + std::to_string(limits_.max_depth), "fewer levels");
    }
  }

  void array(std::size_t depth) {
    check_depth(depth);
    const std::uint32_t index = open(json_kind::array);
    std::uint32_t count = 0;
    ++at_;
    skip_space();
    if (peek() == ']') {
      ++at_;
    } else {
      while (true) {
        value(depth + 1);
        ++count;
        skip_space();
        if (peek() == ']') break;
        if (peek() != ',') fail("',' or ']'");
        ++at_;
        skip_space();
      }
      ++at_;
    }
    close(index).as.count = count;
  }

  void object(std::size_t depth) {
    check_depth(depth);
    const std::uint32_t index = open(json_kind::object);
    std::uint32_t count = 0;
    ++at_;
    skip_space();
    if (peek() == '}') {
      ++at_;
    } else {
      while (true) {
        if (peek() != '"') fail(count == 0 ? "a name in quotes or '}'" : "a name in quotes");
        string();
        skip_space();
        if (peek() != ':') fail("':'");
        ++at_;
        skip_space();
        value(depth + 1);
        ++count;
        skip_space();
        if (peek() == '}') break;
        if (peek() != ',') fail("',' or '}'");
        ++at_;
        skip_space();
      }
      ++at_;
    }
    close(index).as.count = count;
    if (limits_.refuse_duplicate_keys && count > 1) refuse_duplicates(index);
  }

  std::string_view name_at(std::uint32_t index) const {
    const json_node& node = out_.nodes_[index];
    const std::string_view from = node.unescaped ? std::string_view(out_.unescaped_) : text_;
    return from.substr(node.as.text.at, node.as.text.size);
  }

  // Quadratic for the small objects of every day, sorted for large ones.
  void refuse_duplicates(std::uint32_t object) const {
    const std::uint32_t end = out_.nodes_[object].end;
    if (out_.nodes_[object].as.count <= 24) {
      for (std::uint32_t i = object + 1; i < end; i = out_.nodes_[i + 1].end) {
        const std::string_view name = name_at(i);
        for (std::uint32_t j = object + 1; j < i; j = out_.nodes_[j + 1].end) {
          if (name_at(j) == name) duplicate(i);
        }
      }
      return;
    }
    std::vector<std::uint32_t> names;
    for (std::uint32_t i = object + 1; i < end; i = out_.nodes_[i + 1].end) names.push_back(i);
    std::ranges::stable_sort(names, {}, [this](std::uint32_t i) { return name_at(i); });
    for (std::size_t i = 1; i < names.size(); ++i) {
      if (name_at(names[i - 1]) == name_at(names[i])) duplicate(names[i]);
    }
  }

  [[noreturn]] void duplicate(std::uint32_t index) const {
    fail_at(out_.nodes_[index].begin, "the name \"" + std::string(name_at(index)) + "\" a second time",
            "each name once");
  }

  // A number that int64_t holds stays exact; any other is a double. Beyond a double's range is an error, below its
  // precision is zero.
  void number() {
    const std::uint32_t index = open(json_kind::integer);
    const std::size_t begin = at_;
    const bool negative = peek() == '-';
    if (negative) ++at_;
    if (peek() < '0' || peek() > '9') fail(negative ? "a digit" : "a value");
    if (peek() == '0') {
      ++at_;
    } else {
      digits();
    }
    bool whole = true;
    if (peek() == '.') {
      whole = false;
      ++at_;
      if (peek() < '0' || peek() > '9') fail("a digit");
      digits();
    }
    if (peek() == 'e' || peek() == 'E') {
      whole = false;
      ++at_;
      if (peek() == '+' || peek() == '-') ++at_;
      if (peek() < '0' || peek() > '9') fail("a digit");
      digits();
    }
    json_node& node = close(index);
    const char* first = text_.data() + begin;
    const char* last = text_.data() + at_;
    const bool minus_zero = negative && whole && at_ - begin == 2 && text_[begin + 1] == '0';
    if (whole && !minus_zero && std::from_chars(first, last, node.as.integer).ec == std::errc()) return;
    node.kind = json_kind::real;
    if (std::from_chars(first, last, node.as.real).ec == std::errc()) return;
    if (exceeds_one(text_.substr(begin, at_ - begin)))
      fail_at(begin, "a number beyond the range of a double", "a smaller one");
    node.as.real = negative ? -0.0 : 0.0;
  }

  void digits() {
    while (at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '9') ++at_;
  }

  // Whether a number that no double holds is too large (else it is too small).
  static bool exceeds_one(std::string_view number) {
    const std::size_t e = number.find_first_of("eE");
    const std::string_view mantissa = number.substr(0, e);
    long exponent = 0;
    if (e != std::string_view::npos) {
      std::string_view digits = number.substr(e + 1);
      if (digits.starts_with('+')) digits.remove_prefix(1);
      const auto parsed = std::from_chars(digits.data(), digits.data() + digits.size(), exponent);
      if (parsed.ec != std::errc()) return !digits.starts_with('-');
    }
    const std::size_t point = std::min(mantissa.find('.'), mantissa.size());
    const std::size_t first = mantissa.find_first_of("123456789");
    const long power = first < point ? static_cast<long>(point - first) : -static_cast<long>(first - point) + 1;
    return exponent > -power;
  }

  // Plain runs are only scanned; from the first escape on the text goes to the document's buffer.
  void string() {
    const std::uint32_t index = open(json_kind::text);
    ++at_;
    const std::size_t begin = at_;
    scan_plain();
    if (peek() == '"' && at_ < text_.size()) {
      ++at_;
      json_node& node = close(index);
      node.as.text = {static_cast<std::uint32_t>(begin), static_cast<std::uint32_t>(at_ - 1 - begin)};
      return;
    }
    std::string& buffer = out_.unescaped_;
    const std::size_t start = buffer.size();
    std::size_t run = begin;
    while (true) {
      buffer.append(text_, run, at_ - run);
      if (at_ >= text_.size()) fail("'\"'");
      if (text_[at_] == '"') break;
      escape(buffer);
      run = at_;
      scan_plain();
    }
    ++at_;
    json_node& node = close(index);
    node.unescaped = true;
    node.as.text = {static_cast<std::uint32_t>(start), static_cast<std::uint32_t>(buffer.size() - start)};
  }

  // Moves to the next quote or backslash, or to the end; checks UTF-8 and control characters on the way.
  void scan_plain() {
    while (true) {
      skip_ascii_words();
      if (at_ >= text_.size()) return;
      const auto c = static_cast<unsigned char>(text_[at_]);
      if (c == '"' || c == '\\') return;
      if (c < 0x20) fail("no control character inside a string");
      if (c < 0x80) {
        ++at_;
      } else {
        utf8_sequence(c);
      }
    }
  }

  // Eight bytes at a time, as long as all of them are plain ASCII.
  void skip_ascii_words() {
    while (text_.size() - at_ >= 8) {
      const std::uint64_t word = word_at(text_.data() + at_);
      const std::uint64_t stops = (word & tops_of_bytes) | specials_in(word);
      if (stops != 0) {
        if constexpr (std::endian::native == std::endian::little) {
          at_ += static_cast<std::size_t>(std::countr_zero(stops)) / 8;
        }
        return;
      }
      at_ += 8;
    }
  }

  // RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF.
  void utf8_sequence(unsigned char lead) {
    std::size_t more = 0;
    unsigned char low = 0x80;
    unsigned char top = 0xBF;
    if (lead >= 0xC2 && lead <= 0xDF) {
      more = 1;
    } else if (lead >= 0xE0 && lead <= 0xEF) {
      more = 2;
      if (lead == 0xE0) low = 0xA0;
      if (lead == 0xED) top = 0x9F;
    } else if (lead >= 0xF0 && lead <= 0xF4) {
      more = 3;
      if (lead == 0xF0) low = 0x90;
      if (lead == 0xF4) top = 0x8F;
    } else {
      fail("valid UTF-8");
    }
    ++at_;
    for (; more > 0; --more) {
      const auto c = static_cast<unsigned char>(peek());
      if (at_ >= text_.size() || c < low || c > top) fail("valid UTF-8");
      low = 0x80;
      top = 0xBF;
      ++at_;
    }
  }

  void escape(std::string& buffer) {
    ++at_;
    switch (peek()) {
      case '"':
        buffer += '"';
        break;
      case '\\':
        buffer += '\\';
        break;
      case '/':
        buffer += '/';
        break;
      case 'b':
        buffer += '\b';
        break;
      case 'f':
        buffer += '\f';
        break;
      case 'n':
        buffer += '\n';
        break;
      case 'r':
        buffer += '\r';
        break;
      case 't':
        buffer += '\t';
        break;
      case 'u':
        return unicode_escape(buffer);
      default:
        fail("one of \" \\ / b f n r t u after a backslash");
    }
    ++at_;
  }

  std::uint32_t four_digits() {
    std::uint32_t code = 0;
    for (int i = 0; i < 4; ++i) {
      const char c = peek();
      std::uint32_t digit = 0;
      if (c >= '0' && c <= '9') {
        digit = static_cast<std::uint32_t>(c - '0');
      } else if (c >= 'a' && c <= 'f') {
        digit = static_cast<std::uint32_t>(c - 'a' + 10);
      } else if (c >= 'A' && c <= 'F') {
        digit = static_cast<std::uint32_t>(c - 'A' + 10);
      } else {
        fail("four hexadecimal digits");
      }
      code = code * 16 + digit;
      ++at_;
    }
    return code;
  }

  void unicode_escape(std::string& buffer) {
    const std::size_t begin = at_ - 1;
    ++at_;
    std::uint32_t code = four_digits();
    if (code >= 0xDC00 && code <= 0xDFFF) fail_at(begin, "a low surrogate alone", "a character");
    if (code >= 0xD800 && code <= 0xDBFF) {
      if (!text_.substr(at_).starts_with("\\u")) fail_at(begin, "a high surrogate alone", "a pair of surrogates");
      at_ += 2;
      const std::uint32_t low = four_digits();
      if (low < 0xDC00 || low > 0xDFFF) fail_at(begin, "a high surrogate alone", "a pair of surrogates");
      code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
    }
    append_utf8(buffer, code);
  }

  static void append_utf8(std::string& buffer, std::uint32_t code) {
    const auto put = [&buffer](std::uint32_t byte) { buffer += static_cast<char>(byte); };
    if (code < 0x80) return put(code);
    if (code < 0x800) {
      put(0xC0 | (code >> 6));
    } else if (code < 0x10000) {
      put(0xE0 | (code >> 12));
      put(0x80 | ((code >> 6) & 0x3F));
    } else {
      put(0xF0 | (code >> 18));
      put(0x80 | ((code >> 12) & 0x3F));
      put(0x80 | ((code >> 6) & 0x3F));
    }
    put(0x80 | (code & 0x3F));
  }

  json_document& out_;
  std::string_view text_;
  json_limits limits_;
  std::size_t at_ = 0;
};

// Drops a half-built document when parsing throws.
class json_reset {
 public:
  explicit json_reset(std::vector<json_node>& nodes) : nodes_(nodes) {}
  json_reset(const json_reset&) = delete;
  json_reset& operator=(const json_reset&) = delete;
  ~json_reset() {
    if (armed_) nodes_.clear();
  }
  void disarm() noexcept { armed_ = false; }

 private:
  std::vector<json_node>& nodes_;
  bool armed_ = true;
};

}  // namespace detail

inline void json_document::parse_into(std::string_view text, json_limits limits) {
  source_ = text;
  nodes_.clear();
  unescaped_.clear();
  detail::json_reset on_throw(nodes_);
  detail::json_parser(*this, text, limits).run();
  on_throw.disarm();
}

inline std::optional<json_document> json_document::try_parse(std::string_view text, json_error& error,
                                                             json_limits limits) {
  try {
    return parse(text, limits);
  } catch (json_error& found) {
    error = std::move(found);
    return std::nullopt;
  }
}

}  // namespace gantry
