#include "store/postgres/sql_scanner.hpp"

#include <charconv>

namespace gantry::store::postgres {
namespace {

bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || static_cast<unsigned char>(c) >= 0x80;
}
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_blank(char c) { return c == ' ' || c == '\n' || c == '\t' || c == '\r' || c == '\f' || c == '\v'; }

}  // namespace

bool sql_scanner::next(token& out) {
  skip_blanks();
  if (at_ >= sql_.size()) return false;
  const std::size_t from = at_;
  const token_kind what = take();
  out = {what, sql_.substr(from, at_ - from)};
  return true;
}

void sql_scanner::skip_blanks() {
  while (at_ < sql_.size()) {
    if (is_blank(peek())) {
      ++at_;
    } else if (peek() == '-' && peek(1) == '-') {
      while (at_ < sql_.size() && peek() != '\n' && peek() != '\r') ++at_;
    } else if (peek() == '/' && peek(1) == '*') {
      skip_comment();
    } else {
      return;
    }
  }
}

void sql_scanner::skip_comment() {
  std::size_t depth = 0;
  do {
    if (peek() == '/' && peek(1) == '*') {
      ++depth;
      at_ += 2;
    } else if (peek() == '*' && peek(1) == '/') {
      --depth;
      at_ += 2;
    } else {
      ++at_;
    }
  } while (depth != 0 && at_ < sql_.size());
}

void sql_scanner::skip_quoted(char quote, bool escapes) {
  ++at_;
  while (at_ < sql_.size()) {
    const char c = peek();
    ++at_;
    if (escapes && c == '\\') {
      ++at_;
    } else if (c == quote) {
      if (peek() != quote) return;
      ++at_;
    }
  }
}

// A text is continued by another one in a line below. Only then do escapes count in that one, too.
bool sql_scanner::goes_on_in_next_line() {
  if (at_ >= sql_.size()) return false;
  const auto from = at_;
  skip_blanks();
  const auto between = sql_.substr(from, at_ - from);
  if (peek() == '\'' && between.find_first_of("\r\n") != std::string_view::npos) return true;
  at_ = from;
  return false;
}

token_kind sql_scanner::take() {
  const char c = peek();
  if (is_letter(c)) {
    if ((c == 'e' || c == 'E') && peek(1) == '\'') {
      ++at_;
      skip_quoted('\'', true);
      while (goes_on_in_next_line()) skip_quoted('\'', true);
      return token_kind::text;
    }
    while (is_letter(peek()) || is_digit(peek()) || peek() == '$') ++at_;
    return token_kind::word;
  }
  if (is_digit(c)) {
    while (is_digit(peek()) || is_letter(peek()) || peek() == '.') ++at_;
    return token_kind::number;
  }
  if (c == '\'') return skip_quoted('\'', false), token_kind::text;
  if (c == '"') return skip_quoted('"', false), token_kind::quoted;
  if (c == ';') return ++at_, token_kind::semicolon;
  if (c == '$') return take_dollar();
  if (c == '?') {
    ++at_;
    while (is_digit(peek())) ++at_;
    return token_kind::bad_parameter;
  }
  if (c == ':' && (peek(1) == ':' || peek(1) == '=')) return at_ += 2, token_kind::other;
  if ((c == ':' || c == '@') && is_letter(peek(1))) {
    ++at_;
    while (is_letter(peek()) || is_digit(peek())) ++at_;
    return token_kind::bad_parameter;
  }
  return ++at_, token_kind::other;
}

token_kind sql_scanner::take_dollar() {
  std::size_t end = at_ + 1;
  if (is_digit(peek(1))) {
    while (end < sql_.size() && is_digit(sql_[end])) ++end;
    const bool good = sql_[at_ + 1] != '0';
    at_ = end;
    return good ? token_kind::parameter : token_kind::bad_parameter;
  }
  while (end < sql_.size() && (is_letter(sql_[end]) || is_digit(sql_[end]))) ++end;
  if (end >= sql_.size() || sql_[end] != '$') return at_ = end, token_kind::bad_parameter;
  const auto tag = sql_.substr(at_, end + 1 - at_);
  const auto close = sql_.find(tag, end + 1);
  at_ = close == std::string_view::npos ? sql_.size() : close + tag.size();
  return token_kind::text;
}

std::string upper(std::string_view from) {
  std::string out(from);
  for (char& c : out)
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  return out;
}

std::string lower(std::string_view from) {
  std::string out(from);
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return out;
}

bool parameter_number(const token& t, std::size_t& out) {
  const auto digits = t.text.substr(1);
  const auto [end, code] = std::from_chars(digits.data(), digits.data() + digits.size(), out);
  return code == std::errc{} && out >= 1 && out <= 65535;
}

}  // namespace gantry::store::postgres
