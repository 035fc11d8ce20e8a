#include "observability/log_line.hpp"

#include "base/text.hpp"
#include "base/utf8.hpp"
#include "observability/text.hpp"

namespace gantry::observability {
namespace {

// U+0080..U+009F are control characters too; some terminals obey them.
std::size_t clean_length(std::string_view text) noexcept {
  const auto length = utf8_length(text);
  return length == 2 && text[0] == '\xC2' && static_cast<unsigned char>(text[1]) < 0xA0 ? 0 : length;
}

void append_ascii(std::string& out, unsigned char c, bool quote) {
  constexpr std::string_view hex = "0123456789abcdef";
  if (quote && (c == '"' || c == '\\')) {
    out += '\\';
    out += static_cast<char>(c);
  } else if (c == '\n') {
    out += "\\n";
  } else if (c == '\r') {
    out += "\\r";
  } else if (c == '\t') {
    out += "\\t";
  } else if (c < 0x20 || c == 0x7F) {
    out += "\\u00";
    out += hex[c >> 4U];
    out += hex[c & 0xFU];
  } else {
    out += static_cast<char>(c);
  }
}

void append_member(std::string& out, std::string_view name, std::string_view value) {
  out += ',';
  append_clean(out, name, true);
  out += ':';
  append_clean(out, value, true);
}

std::string_view colour_of(level severity) {
  switch (severity) {
    case level::debug:
      return "\x1b[90m";
    case level::info:
      return "\x1b[32m";
    case level::warn:
      return "\x1b[33m";
    case level::error:
      return "\x1b[31m";
  }
  return {};
}

std::string_view padded(level severity) {
  switch (severity) {
    case level::debug:
      return "DEBUG ";
    case level::info:
      return "INFO  ";
    case level::warn:
      return "WARN  ";
    case level::error:
      return "ERROR ";
  }
  return "?     ";
}

}  // namespace

void append_clean(std::string& out, std::string_view text, bool quote) {
  if (quote) out += '"';
  while (!text.empty()) {
    const auto length = clean_length(text);
    if (length == 1) {
      append_ascii(out, static_cast<unsigned char>(text.front()), quote);
    } else {
      out += length == 0 ? std::string_view("\xEF\xBF\xBD") : text.substr(0, length);
    }
    text.remove_prefix(length == 0 ? 1 : length);
  }
  if (quote) out += '"';
}

void append_json(std::string& out, const log_line& line) {
  out += R"({"time":")";
  append_rfc3339(out, line.wall_us);
  out += R"(","level":")";
  out += to_string(line.severity);
  out += '"';
  append_member(out, "text", line.text);
  if (!line.plugin.empty()) append_member(out, "plugin", line.plugin);
  if (line.generation != 0) out += R"(,"generation":)" + std::to_string(line.generation);
  if (!line.correlation_id.empty()) append_member(out, "correlation_id", line.correlation_id);
  if (!line.lane.empty()) append_member(out, "lane", line.lane);
  if (!line.fields.empty()) {
    std::string members;
    for (const auto& [name, value] : line.fields) append_member(members, name, value);
    out += R"(,"fields":{)";
    out.append(members, 1);
    out += '}';
  }
  out += "}\n";
}

void append_text(std::string& out, const log_line& line, bool coloured) {
  constexpr std::string_view plain = "\x1b[0m";
  std::string time;
  append_rfc3339(time, line.wall_us);
  out.append(time, 11, 12);
  out += ' ';
  if (coloured) out += colour_of(line.severity);
  out += padded(line.severity);
  if (coloured) out += plain;
  if (!line.plugin.empty()) {
    append_clean(out, line.plugin, false);
    if (line.generation != 0) out += '#' + std::to_string(line.generation);
    out += ' ';
  }
  append_clean(out, line.text, false);
  for (const auto& [name, value] : line.fields) {
    out += "  ";
    append_clean(out, name, false);
    out += '=';
    append_clean(out, value, value.find_first_of(" =\"") != std::string::npos);
  }
  if (!line.lane.empty()) {
    out += "  lane=";
    append_clean(out, line.lane, false);
  }
  if (!line.correlation_id.empty()) {
    out += " [";
    append_clean(out, line.correlation_id, false);
    out += ']';
  }
  out += '\n';
}

}  // namespace gantry::observability
