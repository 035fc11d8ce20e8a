#include "smtp/dialogue.hpp"

#include <algorithm>

namespace notification {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

std::string upper(std::string_view text) {
  std::string out(text);
  std::ranges::transform(out, out.begin(),
                         [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; });
  return out;
}

}  // namespace

std::string smtp_reply::text() const {
  std::string out = std::to_string(code);
  for (const std::string& line : lines) out.append(" ").append(line);
  return out;
}

smtp_reply_reader::state smtp_reply_reader::add(std::string_view line) {
  constexpr std::size_t most_lines = 100;
  if (line.size() < 3 || !std::ranges::all_of(line.substr(0, 3), is_digit)) return state::malformed;
  const int code = (line[0] - '0') * 100 + (line[1] - '0') * 10 + (line[2] - '0');
  if (code < 200 || code > 599) return state::malformed;
  if (!reply_.lines.empty() && code != reply_.code) return state::malformed;
  const char separator = line.size() > 3 ? line[3] : ' ';
  if (separator != ' ' && separator != '-') return state::malformed;
  if (reply_.lines.size() == most_lines) return state::malformed;
  reply_.code = code;
  reply_.lines.emplace_back(line.size() > 4 ? line.substr(4) : std::string_view{});
  return separator == '-' ? state::more : state::complete;
}

smtp_abilities abilities_of(const smtp_reply& ehlo) {
  smtp_abilities out;
  for (std::size_t i = 1; i < ehlo.lines.size(); ++i) {
    const std::string line = upper(ehlo.lines[i]);
    if (line == "STARTTLS") out.starttls = true;
    if (!line.starts_with("AUTH ") && !line.starts_with("AUTH=")) continue;
    const std::string words = " " + line.substr(5) + " ";
    out.auth_plain = out.auth_plain || words.find(" PLAIN ") != std::string::npos;
    out.auth_login = out.auth_login || words.find(" LOGIN ") != std::string::npos;
  }
  return out;
}

std::string dot_stuffed(std::string_view message) {
  std::string out;
  out.reserve(message.size() + 64);
  bool line_start = true;
  for (const char c : message) {
    if (line_start && c == '.') out += '.';
    out += c;
    line_start = c == '\n';
  }
  if (!out.ends_with("\r\n")) out += "\r\n";
  return out + ".\r\n";
}

}  // namespace notification
