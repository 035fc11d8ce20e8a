// One HTTP/1.1 request to a host's operations endpoint, by the same client that carries calls between hosts.
// Thread: any; each request has a connection of its own.
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "base/result.hpp"

namespace gantry::cli {

// Files in PEM: what we show, and who signs the host's certificate. Empty: nothing, and the system's own list.
struct client_tls {
  std::string cert;
  std::string key;
  std::string ca;
};

struct http_question {
  std::string address;  // host:port; an IPv6 host in brackets
  std::string method = "GET";
  std::string target;                         // path and query, encoded
  std::string body{};
  std::string token;                          // empty: none is presented
  std::chrono::milliseconds timeout{30'000};  // of the whole exchange
  std::optional<client_tls> tls{};            // none: plain
};

struct http_answer {
  int status = 0;
  std::string body;
};

// unavailable: no connection, nothing was asked; timeout; io: it broke behind the request; invalid: an address or a
// certificate file that is none. The text names the address.
result<http_answer> ask(const http_question& what);

}  // namespace gantry::cli
