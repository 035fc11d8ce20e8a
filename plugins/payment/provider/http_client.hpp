// One POST of a JSON body to a payment provider, over HTTP or TLS. Thread: any; blocks, but never beyond its timeout.
#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace shop::payment {

// "https://pay.example:8443/v1" in its parts.
struct http_base {
  bool tls = false;
  std::string host;
  std::string port;
  std::string path;  // without a slash at its end
};

// Throws std::invalid_argument, naming the text, if it is no http or https address.
http_base parse_base(std::string_view url);

struct http_answer {
  int status = 0;
  std::string body;  // at most 1 MiB
};

// Throws gantry::retry_later when there is no answer: not reachable, refused, broken off, too late, or a certificate
// that is not the host's.
http_answer post_json(const http_base& base, std::string_view path,
                      const std::vector<std::pair<std::string, std::string>>& headers, const std::string& body,
                      std::chrono::microseconds timeout);

}  // namespace shop::payment
