#include "http/wire.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>
#include <ctime>

#include "http/problem.hpp"

namespace gantry::http {
namespace {

constexpr std::size_t max_header_lines = 256;
constexpr std::size_t max_chunk_line = 256;
constexpr std::size_t max_method = 32;

constexpr bool is_token_char(char c) {
  if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9')) return true;
  return std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
}

constexpr auto token_table = [] {
  std::array<bool, 256> table{};
  for (int i = 1; i < 256; ++i) table[static_cast<std::size_t>(i)] = is_token_char(static_cast<char>(i));
  return table;
}();

bool is_token(std::string_view text) {
  return !text.empty() &&
         std::all_of(text.begin(), text.end(), [](char c) { return token_table[static_cast<unsigned char>(c)]; });
}

// Visible characters, spaces, tabs and bytes above ASCII: nothing that ends a line or hides in one.
bool is_field_value(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return (byte >= 0x20 && byte != 0x7F) || byte == '\t';
  });
}

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c; }

bool equals_ignoring_case(std::string_view text, std::string_view lower_case) {
  return std::equal(text.begin(), text.end(), lower_case.begin(), lower_case.end(),
                    [](char a, char b) { return lower(a) == b; });
}

std::string_view trim(std::string_view text) {
  const auto first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

refusal bad(std::string detail) { return {400, std::move(detail)}; }

bool is_known_method(std::string_view method) {
  constexpr std::array<std::string_view, 7> known = {"GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH"};
  return std::find(known.begin(), known.end(), method) != known.end();
}

std::optional<refusal> split_target(std::string_view target, message_head& out) {
  if (target == "*") {
    if (out.start.method != "OPTIONS") return bad("the target '*' is for OPTIONS only");
    out.start.target = "*";
    return std::nullopt;
  }
  const auto visible = [](char c) { return c > 0x20 && c < 0x7F && c != '#'; };
  if (!std::all_of(target.begin(), target.end(), visible)) {
    return bad("the target has a character that must be percent-encoded");
  }
  // The absolute form is for proxies, but every server must read it; what counts is its path.
  constexpr std::string_view scheme = "http://";
  if (target.size() > scheme.size() && equals_ignoring_case(target.substr(0, scheme.size()), scheme)) {
    const auto path = target.find_first_of("/?", scheme.size());
    if (path == scheme.size()) return bad("the target names no host");
    target = path == std::string_view::npos ? std::string_view("/") : target.substr(path);
  }
  const auto question = target.find('?');
  out.start.target = target.substr(0, question);
  if (question != std::string_view::npos) out.start.query = target.substr(question + 1);
  if (out.start.target.empty() && question == 0) out.start.target = "/";
  if (out.start.target.empty() || out.start.target.front() != '/') return bad("the target must begin with '/'");
  return std::nullopt;
}

std::optional<refusal> parse_request_line(std::string_view line, message_head& out) {
  const auto first = line.find(' ');
  const auto last = line.rfind(' ');
  if (first == std::string_view::npos || first == last) return bad("the request line must be: method target version");
  const auto method = line.substr(0, first);
  const auto target = line.substr(first + 1, last - first - 1);
  const auto version = line.substr(last + 1);
  if (!is_token(method) || method.size() > max_method) return bad("the method is not a token");
  if (version.size() != 8 || !version.starts_with("HTTP/") || version[5] < '0' || version[5] > '9' ||
      version[6] != '.' || version[7] < '0' || version[7] > '9') {
    return bad("the version must be HTTP/1.1 or HTTP/1.0");
  }
  if (version[5] != '1') return refusal{505, "this endpoint speaks HTTP/1.1 and HTTP/1.0"};
  out.http10 = version[7] == '0';
  out.keep_alive = !out.http10;
  out.start.method = method;
  if (method == "CONNECT" || method == "TRACE")
    return refusal{405, "this endpoint does not answer " + out.start.method};
  if (!is_known_method(method)) return refusal{501, "the method " + out.start.method + " is not known here"};
  return split_target(target, out);
}

// What the framing headers of one message said so far.
struct framing {
  bool has_length = false;
  bool has_encoding = false;
  std::size_t hosts = 0;
  bool close = false;
  bool keep_alive = false;
};

std::optional<refusal> read_content_length(std::string_view value, const wire_limits& limits, framing& seen,
                                           message_head& out) {
  if (seen.has_length) return bad("Content-Length is given twice");
  seen.has_length = true;
  const auto digit = [](char c) { return c >= '0' && c <= '9'; };
  if (value.empty() || !std::all_of(value.begin(), value.end(), digit)) {
    return bad("Content-Length must be decimal digits");
  }
  const auto [end, failure] = std::from_chars(value.data(), value.data() + value.size(), out.content_length);
  if (failure != std::errc{} || out.content_length > limits.max_body) {
    return refusal{413, "the body has " + std::string(value.substr(0, 20)) + " bytes, at most " +
                            std::to_string(limits.max_body) + " are taken"};
  }
  return std::nullopt;
}

void read_connection(std::string_view value, framing& seen) {
  while (!value.empty()) {
    const auto comma = value.find(',');
    const auto option = trim(value.substr(0, comma));
    if (equals_ignoring_case(option, "close")) seen.close = true;
    if (equals_ignoring_case(option, "keep-alive")) seen.keep_alive = true;
    value = comma == std::string_view::npos ? std::string_view{} : value.substr(comma + 1);
  }
}

// Takes in one header. Those that frame the message end here; all others go to the request.
std::optional<refusal> take_header(std::string&& name, std::string_view value, const wire_limits& limits, framing& seen,
                                   message_head& out) {
  if (name == "content-length") return read_content_length(value, limits, seen, out);
  if (name == "transfer-encoding") {
    if (seen.has_encoding) return bad("Transfer-Encoding is given twice");
    seen.has_encoding = true;
    if (!equals_ignoring_case(value, "chunked")) return refusal{501, "the only Transfer-Encoding known is chunked"};
    out.chunked = true;
    return std::nullopt;
  }
  if (name == "connection") {
    read_connection(value, seen);
    return std::nullopt;
  }
  if (name == "expect") {
    if (!equals_ignoring_case(value, "100-continue")) return refusal{417, "the only expectation known is 100-continue"};
    out.expects_continue = !out.http10;
    return std::nullopt;
  }
  if (name == "keep-alive" || name == "proxy-connection" || name == "te" || name == "trailer") return std::nullopt;
  if (name == "host") ++seen.hosts;
  out.start.headers.push_back({std::move(name), std::string(value)});
  return std::nullopt;
}

std::optional<refusal> parse_header_line(std::string_view line, const wire_limits& limits, framing& seen,
                                         message_head& out) {
  const auto colon = line.find(':');
  if (colon == std::string_view::npos) return bad("a header line has no ':'");
  const auto name = line.substr(0, colon);
  // Covers folded lines and blanks before the colon too: neither is a token.
  if (!is_token(name)) return bad("a header name is not a token");
  const auto value = trim(line.substr(colon + 1));
  if (!is_field_value(value)) return bad("a header value has a control character");
  std::string lowered(name);
  std::transform(lowered.begin(), lowered.end(), lowered.begin(), lower);
  return take_header(std::move(lowered), value, limits, seen, out);
}

std::optional<refusal> settle_framing(const framing& seen, message_head& out) {
  if (out.chunked && seen.has_length) return bad("Content-Length and Transfer-Encoding exclude each other");
  if (out.chunked && out.http10) return bad("HTTP/1.0 has no Transfer-Encoding");
  if (seen.hosts > 1 || (seen.hosts == 0 && !out.http10)) return bad("there must be one Host header");
  if (out.http10) out.keep_alive = seen.keep_alive && !seen.close;
  if (seen.close) out.keep_alive = false;
  return std::nullopt;
}

}  // namespace

std::optional<refusal> parse_head(std::string_view block, const wire_limits& limits, message_head& out) {
  framing seen;
  std::optional<refusal> no;
  std::size_t lines = 0;
  while (!block.empty()) {
    const auto feed = block.find('\n');
    if (feed == std::string_view::npos || feed == 0 || block[feed - 1] != '\r') return bad("a line must end with CRLF");
    const auto line = block.substr(0, feed - 1);
    if (line.find('\r') != std::string_view::npos) return bad("a line has a carriage return inside");
    no = lines == 0 ? parse_request_line(line, out) : parse_header_line(line, limits, seen, out);
    if (no) return no;
    if (++lines > max_header_lines + 1)
      return refusal{431, "more than " + std::to_string(max_header_lines) + " headers"};
    block.remove_prefix(feed + 1);
  }
  if (lines == 0) return bad("the request is empty");
  return settle_framing(seen, out);
}

std::optional<refusal> chunk_reader::end_line(const wire_limits& limits, std::size_t body_size) {
  if (line_.size() < 2 || line_[line_.size() - 2] != '\r') return bad("a chunk's line must end with CRLF");
  const std::string_view line(line_.data(), line_.size() - 2);
  switch (stage_) {
    case stage::size: {
      const auto [end, failure] = std::from_chars(line.data(), line.data() + line.size(), left_, 16);
      const std::string_view rest(end, static_cast<std::size_t>(line.data() + line.size() - end));
      if (failure == std::errc::result_out_of_range) return refusal{413, "a chunk is too large"};
      if (failure != std::errc{} || !(rest.empty() || trim(rest).starts_with(';')) || !is_field_value(rest)) {
        return bad("a chunk's size must be hexadecimal");
      }
      if (left_ > limits.max_body - body_size) {
        return refusal{413, "the body has more than " + std::to_string(limits.max_body) + " bytes"};
      }
      stage_ = left_ == 0 ? stage::trailer : stage::data;
      break;
    }
    case stage::data_end:
      if (!line.empty()) return bad("a chunk is longer than its size says");
      stage_ = stage::size;
      break;
    case stage::trailer:
      if (line.empty()) stage_ = stage::complete;
      break;
    case stage::data:
    case stage::complete:
      break;
  }
  line_.clear();
  return std::nullopt;
}

std::optional<refusal> chunk_reader::read(std::string_view& in, const wire_limits& limits, std::string& body) {
  while (!in.empty() && stage_ != stage::complete) {
    if (stage_ == stage::data) {
      const auto taken = static_cast<std::size_t>(std::min<std::uint64_t>(left_, in.size()));
      body.append(in.substr(0, taken));
      in.remove_prefix(taken);
      left_ -= taken;
      if (left_ == 0) stage_ = stage::data_end;
      continue;
    }
    const auto feed = in.find('\n');
    const auto part = in.substr(0, feed == std::string_view::npos ? in.size() : feed + 1);
    line_.append(part);
    in.remove_prefix(part.size());
    if (stage_ == stage::trailer) {
      trailer_bytes_ += part.size();
      if (trailer_bytes_ > limits.max_headers) return refusal{431, "the trailers are too large"};
    } else if (line_.size() > max_chunk_line) {
      return bad("a chunk's size line is too long");
    }
    if (feed == std::string_view::npos) break;
    if (auto no = end_line(limits, body.size())) return no;
  }
  return std::nullopt;
}

bool append_reply_head(std::string& out, reply& answer, const reply_frame& frame, std::string_view date) {
  const auto allowed = [](const header& h) { return is_token(h.name) && is_field_value(h.value); };
  if (answer.status < 200 || answer.status > 599 ||
      !std::all_of(answer.headers.begin(), answer.headers.end(), allowed)) {
    answer = problem(500, "the service gave an answer that HTTP does not allow");
  }
  std::array<char, 24> digits{};
  const auto number = [&digits](std::size_t value) {
    const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr;
    return std::string_view(digits.data(), static_cast<std::size_t>(end - digits.data()));
  };
  out.append("HTTP/1.1 ").append(number(static_cast<std::size_t>(answer.status))).append(" ");
  out.append(reason_phrase(answer.status)).append("\r\ndate: ").append(date).append("\r\n");
  for (const auto& [name, value] : answer.headers) {
    if (equals_ignoring_case(name, "content-length") || equals_ignoring_case(name, "date") ||
        equals_ignoring_case(name, "connection") || equals_ignoring_case(name, "transfer-encoding")) {
      continue;
    }
    out.append(name).append(": ").append(value).append("\r\n");
  }
  const bool bodiless = answer.status == 204 || answer.status == 304;
  if (!bodiless) out.append("content-length: ").append(number(answer.body.size())).append("\r\n");
  if (frame.close) {
    out.append("connection: close\r\n");
  } else if (frame.http10) {
    out.append("connection: keep-alive\r\n");
  }
  out.append("\r\n");
  return !bodiless && !frame.head_only;
}

std::string http_date(std::int64_t unix_seconds) {
  static constexpr std::array<const char*, 7> days = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  static constexpr std::array<const char*, 12> months = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                         "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const std::time_t moment = unix_seconds;
  std::tm parts{};
  gmtime_r(&moment, &parts);
  std::array<char, 64> text{};
  const int size = std::snprintf(text.data(), text.size(), "%s, %02d %s %04d %02d:%02d:%02d GMT",
                                 days[static_cast<std::size_t>(parts.tm_wday)], parts.tm_mday,
                                 months[static_cast<std::size_t>(parts.tm_mon)], parts.tm_year + 1900, parts.tm_hour,
                                 parts.tm_min, parts.tm_sec);
  return {text.data(), static_cast<std::size_t>(size)};
}

}  // namespace gantry::http
