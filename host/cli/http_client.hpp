// One HTTP/1.1 request to a host's operations endpoint. Boost.Beast carries it and shows in no header.
// Thread: any; each request has a connection of its own.
#pragma once

#include <chrono>
#include <string>

#include "base/result.hpp"

namespace gantry::cli {

struct http_question {
  std::string address;  // host:port; an IPv6 host in brackets
  std::string method = "GET";
  std::string target;                         // path and query, encoded
  std::string token;                          // empty: none is presented
  std::chrono::milliseconds timeout{30'000};  // of the whole exchange
};

struct http_answer {
  int status = 0;
  std::string body;
};

// unavailable: no connection, or it broke; timeout; invalid: an address that is none. The text names the address.
result<http_answer> ask(const http_question& what);

}  // namespace gantry::cli
