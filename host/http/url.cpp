#include "http/url.hpp"

#include <algorithm>

#include "http/utf8.hpp"

namespace gantry::http {
namespace {

int hex_digit(char c) noexcept {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

error bad(std::string_view text, std::string_view why) {
  return {errc::invalid, "found '" + std::string(text.substr(0, 100)) + "': " + std::string(why)};
}

bool is_utf8(std::string_view text) noexcept {
  while (!text.empty()) {
    const auto length = utf8_length(text);
    if (length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

bool has_control(std::string_view text) noexcept {
  return std::any_of(text.begin(), text.end(),
                     [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; });
}

}  // namespace

result<std::string> percent_decode(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += text[i];
      continue;
    }
    const int high = i + 2 < text.size() ? hex_digit(text[i + 1]) : -1;
    const int low = i + 2 < text.size() ? hex_digit(text[i + 2]) : -1;
    if (high < 0 || low < 0) return bad(text, "'%' must be followed by two hex digits");
    if (high == 0 && low == 0) return bad(text, "'%00' is not allowed");
    out += static_cast<char>(high * 16 + low);
    i += 2;
  }
  return out;
}

std::string percent_encode(std::string_view text) {
  constexpr std::string_view hex = "0123456789ABCDEF";
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    const bool alphanumeric = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    if (alphanumeric || c == '-' || c == '.' || c == '_' || c == '~') {
      out += c;
      continue;
    }
    const auto byte = static_cast<unsigned char>(c);
    out += '%';
    out += hex[byte >> 4U];
    out += hex[byte & 0xFU];
  }
  return out;
}

result<std::vector<std::pair<std::string, std::string>>> parse_query(std::string_view query) {
  std::vector<std::pair<std::string, std::string>> out;
  const auto decode = [](std::string_view part) {
    std::string spaced(part);
    std::replace(spaced.begin(), spaced.end(), '+', ' ');
    return percent_decode(spaced);
  };
  while (!query.empty()) {
    const auto end = query.find('&');
    const auto part = query.substr(0, end);
    query = end == std::string_view::npos ? std::string_view{} : query.substr(end + 1);
    if (part.empty()) continue;
    const auto equals = part.find('=');
    auto name = decode(part.substr(0, equals));
    if (!name) return std::move(name).failure();
    auto value = decode(equals == std::string_view::npos ? std::string_view{} : part.substr(equals + 1));
    if (!value) return std::move(value).failure();
    out.emplace_back(std::move(*name), std::move(*value));
  }
  return out;
}

result<path> parse_path(std::string_view raw) {
  if (raw.empty() || raw.front() != '/') return bad(raw, "a path must begin with '/'");
  path out;
  for (std::string_view left = raw; !left.empty();) {
    left.remove_prefix(1);
    const auto end = left.find('/');
    auto segment = percent_decode(left.substr(0, end));
    if (!segment) return std::move(segment).failure();
    left = end == std::string_view::npos ? std::string_view{} : left.substr(end);
    if (segment->empty() && !left.empty()) return bad(raw, "a path must not have empty segments");
    if (*segment == "." || *segment == "..") return bad(raw, "a path must not have dot segments");
    if (segment->find_first_of("/\\") != std::string::npos) return bad(raw, "a segment must not contain '/' or '\\'");
    if (has_control(*segment) || !is_utf8(*segment)) return bad(raw, "a path must be UTF-8 without control characters");
    out.text += '/';
    out.text += *segment;
    if (raw.size() > 1) out.segments.push_back(std::move(*segment));
  }
  return out;
}

}  // namespace gantry::http
