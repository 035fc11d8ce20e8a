#include "http/problem.hpp"

#include <array>

#include "base/text.hpp"

namespace gantry::http {
namespace {

// "Not Found" -> "not-found"
std::string slug_of(std::string_view phrase) {
  std::string slug;
  for (const char c : phrase) {
    if (c >= 'A' && c <= 'Z') slug += static_cast<char>(c + ('a' - 'A'));
    if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9')) slug += c;
    if (c == ' ' || c == '-') slug += '-';
  }
  return slug;
}

}  // namespace

reply problem(int status, std::string_view type_slug, std::string_view title, std::string_view detail) {
  reply answer;
  answer.status = status;
  answer.headers.push_back({"content-type", "application/problem+json"});
  append_problem(answer.body, status, type_slug, title, detail);
  return answer;
}

reply problem(int status, std::string_view detail) {
  const auto phrase = reason_phrase(status);
  return problem(status, slug_of(phrase), phrase, detail);
}

std::string_view reason_phrase(int status) noexcept {
  struct entry {
    int status;
    std::string_view phrase;
  };
  static constexpr std::array<entry, 47> phrases = {{
      {200, "OK"},
      {201, "Created"},
      {202, "Accepted"},
      {203, "Non-Authoritative Information"},
      {204, "No Content"},
      {205, "Reset Content"},
      {206, "Partial Content"},
      {207, "Multi-Status"},
      {300, "Multiple Choices"},
      {301, "Moved Permanently"},
      {302, "Found"},
      {303, "See Other"},
      {304, "Not Modified"},
      {307, "Temporary Redirect"},
      {308, "Permanent Redirect"},
      {400, "Bad Request"},
      {401, "Unauthorized"},
      {402, "Payment Required"},
      {403, "Forbidden"},
      {404, "Not Found"},
      {405, "Method Not Allowed"},
      {406, "Not Acceptable"},
      {407, "Proxy Authentication Required"},
      {408, "Request Timeout"},
      {409, "Conflict"},
      {410, "Gone"},
      {411, "Length Required"},
      {412, "Precondition Failed"},
      {413, "Content Too Large"},
      {414, "URI Too Long"},
      {415, "Unsupported Media Type"},
      {416, "Range Not Satisfiable"},
      {417, "Expectation Failed"},
      {421, "Misdirected Request"},
      {422, "Unprocessable Content"},
      {423, "Locked"},
      {425, "Too Early"},
      {426, "Upgrade Required"},
      {428, "Precondition Required"},
      {429, "Too Many Requests"},
      {431, "Request Header Fields Too Large"},
      {500, "Internal Server Error"},
      {501, "Not Implemented"},
      {502, "Bad Gateway"},
      {503, "Service Unavailable"},
      {504, "Gateway Timeout"},
      {505, "HTTP Version Not Supported"},
  }};
  for (const auto& known : phrases) {
    if (known.status == status) return known.phrase;
  }
  return {};
}

}  // namespace gantry::http
