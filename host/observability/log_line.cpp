#include "observability/log_line.hpp"

#include <array>
#include <cstdio>
#include <ctime>

#include "observability/text.hpp"

namespace gantry::observability {
namespace {

// Length of the well-formed UTF-8 sequence at the start of `text` (RFC 3629), or 0.
std::size_t utf8_length(std::string_view text) noexcept {
  const auto byte = [text](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const auto lead = byte(0);
  if (lead < 0x80) return 1;
  const std::size_t length = lead < 0xC2 ? 0 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : lead < 0xF5 ? 4 : 0;
  if (length == 0 || text.size() < length) return 0;
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xC0U) != 0x80) return 0;
  }
  const bool overlong = (lead == 0xE0 && byte(1) < 0xA0) || (lead == 0xF0 && byte(1) < 0x90);
  const bool surrogate = lead == 0xED && byte(1) > 0x9F;
  const bool beyond = lead == 0xF4 && byte(1) > 0x8F;
  // U+0080..U+009F are control characters too; some terminals obey them.
  const bool control = lead == 0xC2 && byte(1) < 0xA0;
  return overlong || surrogate || beyond || control ? 0 : length;
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
    const auto length = utf8_length(text);
    if (length == 1) {
      append_ascii(out, static_cast<unsigned char>(text.front()), quote);
    } else {
      out += length == 0 ? std::string_view("\xEF\xBF\xBD") : text.substr(0, length);
    }
    text.remove_prefix(length == 0 ? 1 : length);
  }
  if (quote) out += '"';
}

void append_timestamp(std::string& out, std::int64_t wall_us) {
  std::int64_t micros = wall_us % 1'000'000;
  if (micros < 0) micros += 1'000'000;
  const std::time_t seconds = (wall_us - micros) / 1'000'000;
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  std::array<char, 80> text{};
  const int size = std::snprintf(text.data(), text.size(), "%04d-%02d-%02dT%02d:%02d:%02d.%06dZ", parts.tm_year + 1900,
                                 parts.tm_mon + 1, parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec,
                                 static_cast<int>(micros));
  out.append(text.data(), static_cast<std::size_t>(size));
}

void append_json(std::string& out, const log_line& line) {
  out += R"({"time":")";
  append_timestamp(out, line.wall_us);
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
  append_timestamp(time, line.wall_us);
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
