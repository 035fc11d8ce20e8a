#include "base/text.hpp"

#include <array>

#include "base/utf8.hpp"

namespace gantry {
namespace {

void two_digits(std::int64_t v, char* at) {
  at[0] = static_cast<char>('0' + v / 10);
  at[1] = static_cast<char>('0' + v % 10);
}

void append_escaped(std::string& out, unsigned char c) {
  constexpr std::string_view hex = "0123456789abcdef";
  switch (c) {
    case '"':
      out += "\\\"";
      return;
    case '\\':
      out += "\\\\";
      return;
    case '\n':
      out += "\\n";
      return;
    case '\r':
      out += "\\r";
      return;
    case '\t':
      out += "\\t";
      return;
    default:
      break;
  }
  if (c >= 0x20 && c != 0x7F) {
    out += static_cast<char>(c);
    return;
  }
  out += "\\u00";
  out += hex[c >> 4U];
  out += hex[c & 0xFU];
}

}  // namespace

void append_json_string(std::string& out, std::string_view text) {
  out += '"';
  while (!text.empty()) {
    std::size_t plain = 0;
    while (plain < text.size() && text[plain] >= 0x20 && text[plain] != 0x7F && text[plain] != '"' && text[plain] != '\\')
      ++plain;
    out += text.substr(0, plain);
    text.remove_prefix(plain);
    if (text.empty()) break;
    const auto length = utf8_length(text);
    if (length == 0) {
      out += "\xEF\xBF\xBD";
    } else if (length == 1) {
      append_escaped(out, static_cast<unsigned char>(text.front()));
    } else {
      out += text.substr(0, length);
    }
    text.remove_prefix(length == 0 ? 1 : length);
  }
  out += '"';
}

void append_rfc3339(std::string& out, std::int64_t wall_us) {
  // Days to civil date, after the proleptic Gregorian calendar; valid from 1970 on.
  const std::int64_t seconds = wall_us / 1'000'000;
  const std::int64_t day = seconds / 86'400;
  const std::int64_t in_day = seconds % 86'400;
  const std::int64_t z = day + 719'468;
  const std::int64_t era = z / 146'097;
  const std::int64_t doe = z - era * 146'097;
  const std::int64_t yoe = (doe - doe / 1460 + doe / 36'524 - doe / 146'096) / 365;
  const std::int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
  const std::int64_t mp = (5 * doy + 2) / 153;
  const std::int64_t dom = doy - (153 * mp + 2) / 5 + 1;
  const std::int64_t month = mp < 10 ? mp + 3 : mp - 9;
  const std::int64_t year = yoe + era * 400 + (month <= 2 ? 1 : 0);
  std::array<char, 27> text;
  two_digits(year / 100, text.data());
  two_digits(year % 100, text.data() + 2);
  text[4] = '-';
  two_digits(month, text.data() + 5);
  text[7] = '-';
  two_digits(dom, text.data() + 8);
  text[10] = 'T';
  two_digits(in_day / 3600, text.data() + 11);
  text[13] = ':';
  two_digits(in_day / 60 % 60, text.data() + 14);
  text[16] = ':';
  two_digits(in_day % 60, text.data() + 17);
  text[19] = '.';
  std::int64_t us = wall_us % 1'000'000;
  for (std::size_t i = 25; i >= 20; --i, us /= 10) text[i] = static_cast<char>('0' + us % 10);
  text[26] = 'Z';
  out.append(text.data(), text.size());
}

void append_problem(std::string& out, int status, std::string_view slug, std::string_view title,
                    std::string_view detail) {
  out += R"({"type":)";
  append_json_string(out, slug.empty() ? std::string("about:blank") : "/problems/" + std::string(slug));
  out += R"(,"title":)";
  append_json_string(out, title);
  out += R"(,"status":)" + std::to_string(status);
  if (!detail.empty()) {
    out += R"(,"detail":)";
    append_json_string(out, detail);
  }
  out += '}';
}

}  // namespace gantry
