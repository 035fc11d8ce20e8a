#include "domain/mime.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdio>

namespace notification {
namespace {

constexpr std::size_t longest_line = 76;
constexpr std::string_view hex_digits = "0123456789ABCDEF";

bool is_ascii_text(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return c >= 0x20 && c < 0x7f; });
}

// The size of the UTF-8 character that begins here, at least 1.
std::size_t character_size(std::string_view text) {
  const auto lead = static_cast<unsigned char>(text.front());
  const std::size_t size = lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
  return std::min(size, text.size());
}

void hex_escape(std::string& out, char c) {
  const auto code = static_cast<unsigned char>(c);
  out += '=';
  out += hex_digits[code >> 4U];
  out += hex_digits[code & 15U];
}

// Text that is hidden from a quoted string's syntax.
std::string display_name(std::string_view name, std::size_t column) {
  if (!is_ascii_text(name)) return encode_header_text(name, column);
  std::string out = "\"";
  for (const char c : name) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + '"';
}

// Derived from the id, and with "=_", which quoted-printable text can't contain. A boundary has at most 70 characters.
std::string boundary_of(const mail& m) { return "=_" + m.id.substr(m.id.size() > 60 ? m.id.size() - 60 : 0); }

void write_part(std::string& out, std::string_view type, std::string_view body) {
  out.append("Content-Type: ").append(type).append("; charset=utf-8\r\n");
  out.append("Content-Transfer-Encoding: quoted-printable\r\n\r\n").append(quoted_printable(body));
}

}  // namespace

bool is_address(std::string_view text) {
  const std::size_t at = text.find('@');
  if (text.size() > 254 || at == 0 || at == std::string_view::npos || at + 1 == text.size()) return false;
  if (text.find('@', at + 1) != std::string_view::npos) return false;
  constexpr std::string_view special = "<>()[]\\,;:\"";
  return std::ranges::all_of(text, [&](char c) { return c > 0x20 && c < 0x7f && special.find(c) == special.npos; });
}

std::optional<mailbox> parse_mailbox(std::string_view text) {
  const std::size_t open = text.rfind('<');
  mailbox out;
  if (open == std::string_view::npos) {
    out.address = text;
  } else {
    if (!text.ends_with('>')) return std::nullopt;
    out.address = text.substr(open + 1, text.size() - open - 2);
    std::string_view name = text.substr(0, open);
    while (name.ends_with(' ')) name.remove_suffix(1);
    out.name = name;
  }
  if (!is_address(out.address)) return std::nullopt;
  return out;
}

std::string base64(std::string_view bytes) {
  constexpr std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  out.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const std::size_t have = std::min<std::size_t>(3, bytes.size() - i);
    std::uint32_t group = 0;
    for (std::size_t k = 0; k < 3; ++k) {
      group = (group << 8U) | (k < have ? static_cast<unsigned char>(bytes[i + k]) : 0U);
    }
    for (std::size_t k = 0; k < 4; ++k) out += k <= have ? alphabet[(group >> (18 - 6 * k)) & 63U] : '=';
  }
  return out;
}

// Words of at most 75 characters that never cut a UTF-8 character, as RFC 2047 asks.
std::string encode_header_text(std::string_view text, std::size_t first_column) {
  if (is_ascii_text(text) && first_column + text.size() <= 200) return std::string(text);
  constexpr std::size_t frame = 12;  // =?UTF-8?B?...?=
  std::string out;
  std::size_t column = first_column;
  while (!text.empty()) {
    const std::size_t room = column + frame + 4 < longest_line ? (longest_line - 1 - column - frame) / 4 * 3 : 3;
    std::size_t take = character_size(text);
    while (take < text.size() && take + character_size(text.substr(take)) <= room) {
      take += character_size(text.substr(take));
    }
    if (!out.empty()) out += "\r\n ";
    out.append("=?UTF-8?B?").append(base64(text.substr(0, take))).append("?=");
    text.remove_prefix(take);
    column = 1;
  }
  return out;
}

std::string quoted_printable(std::string_view text) {
  std::string out;
  out.reserve(text.size() + text.size() / 8 + 4);
  std::size_t line_start = 0;
  const auto at_line_end = [&](std::size_t i) { return i == text.size() || text[i] == '\n' || text[i] == '\r'; };
  // Whether a character stands for itself: RFC 2045, section 6.7, rules 2 and 3.
  const auto is_literal = [&](std::size_t i) {
    const char c = text[i];
    return (c > 0x20 && c < 0x7f && c != '=') || ((c == ' ' || c == '\t') && !at_line_end(i + 1));
  };
  const auto make_room = [&](std::size_t wanted) {
    if (out.size() - line_start + wanted <= longest_line - 1) return;
    out += "=\r\n";
    line_start = out.size();
  };
  for (std::size_t i = 0; i < text.size();) {
    const char c = text[i];
    if (c == '\r' && i + 1 < text.size() && text[i + 1] == '\n') {
      ++i;
    } else if (c == '\n') {
      out += "\r\n";
      line_start = out.size();
      ++i;
    } else if (is_literal(i)) {
      make_room(1);
      const std::size_t most = std::min(text.size(), i + longest_line - 1 - (out.size() - line_start));
      std::size_t end = i + 1;
      while (end < most && is_literal(end)) ++end;
      out.append(text, i, end - i);
      i = end;
    } else {
      make_room(3);
      hex_escape(out, c);
      ++i;
    }
  }
  if (out.size() > line_start) out += "\r\n";
  return out;
}

std::string mail_date(std::int64_t at_us) {
  using namespace std::chrono;
  const sys_seconds at = floor<seconds>(sys_time<microseconds>(microseconds(at_us)));
  const auto day = floor<days>(at);
  const year_month_day date(day);
  const hh_mm_ss clock(at - day);
  constexpr std::array days_of_week = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  constexpr std::array months = {"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  std::array<char, 64> text{};
  std::snprintf(text.data(), text.size(), "%s, %02u %s %04d %02d:%02d:%02d +0000",
                days_of_week[weekday(day).c_encoding()], static_cast<unsigned>(date.day()),
                months[static_cast<unsigned>(date.month()) - 1], static_cast<int>(date.year()),
                static_cast<int>(clock.hours().count()), static_cast<int>(clock.minutes().count()),
                static_cast<int>(clock.seconds().count()));
  return text.data();
}

std::string message_id_of(const mail& m) { return "<" + m.id + m.from.address.substr(m.from.address.find('@')) + ">"; }

std::string write_mail(const mail& m) {
  std::string out;
  out.reserve(1024 + m.text.size() + m.html.size() * 5 / 4);
  out += "From: ";
  if (!m.from.name.empty()) out.append(display_name(m.from.name, 6)).append("\r\n ");
  out.append("<").append(m.from.address).append(">\r\n");
  out.append("To: <").append(m.to).append(">\r\n");
  out.append("Subject: ").append(encode_header_text(m.subject, 9)).append("\r\n");
  out.append("Date: ").append(mail_date(m.at_us)).append("\r\n");
  out.append("Message-ID: ").append(message_id_of(m)).append("\r\n");
  out += "Auto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\n";
  if (m.html.empty()) {
    write_part(out, "text/plain", m.text);
    return out;
  }
  const std::string boundary = boundary_of(m);
  out.append("Content-Type: multipart/alternative;\r\n boundary=\"").append(boundary).append("\"\r\n\r\n");
  out.append("--").append(boundary).append("\r\n");
  write_part(out, "text/plain", m.text);
  out.append("--").append(boundary).append("\r\n");
  write_part(out, "text/html", m.html);
  out.append("--").append(boundary).append("--\r\n");
  return out;
}

}  // namespace notification
