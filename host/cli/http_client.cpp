#include "cli/http_client.hpp"

#include <vector>

#include "base/clock.hpp"
#include "call/remote/remote_calls.hpp"

namespace gantry::cli {
namespace {

constexpr std::size_t largest_answer = 256UL * 1024 * 1024;
constexpr const char* asked = "host";  // what stands for the plugin

gantry_field field(const std::string& name, const std::string& value) {
  return {{name.data(), name.size()}, {value.data(), value.size()}};
}

error failure_of(const http_question& what, const call::remote_outcome& outcome) {
  const auto url = (what.tls ? "https://" : "http://") + what.address;
  switch (outcome.status) {
    case GANTRY_UNAVAILABLE:
      return {errc::unavailable, "no host answers at " + url + ": " + outcome.text +
                                     " (is `gantry run` running there? another one: --address)"};
    case GANTRY_TIMEOUT:
      return {errc::timeout, "no answer from " + url + " within " + std::to_string(what.timeout.count() / 1000) + " s"};
    default:
      return {errc::io, url + ": " + outcome.text};
  }
}

}  // namespace

result<http_answer> ask(const http_question& what) {
  call::remote_options options;
  options.max_body = largest_answer;
  if (what.tls) options.tls = {what.tls->cert, what.tls->key, what.tls->ca};
  const auto way = call::make_remote_calls(options, system_clock());
  if (auto done = way->place({{asked, {{what.address, what.address, what.tls.has_value(), {}}}}}); !done)
    return error{errc::invalid, done.failure().text};
  const std::string accept = "accept", json = "application/json", authorization = "authorization";
  const std::string bearer = "Bearer " + what.token;
  std::vector<gantry_field> headers = {field(accept, json)};
  if (!what.token.empty()) headers.push_back(field(authorization, bearer));
  call::remote_request request;
  request.plugin = asked;
  request.method = what.method;
  request.target = what.target;
  request.headers = headers;
  request.body = what.body;
  request.deadline_us = system_clock().steady_us() + std::chrono::microseconds(what.timeout).count();
  auto outcome = way->call(request);
  if (outcome.status != GANTRY_OK) return failure_of(what, outcome);
  return http_answer{outcome.reply.status, std::move(outcome.reply.body)};
}

}  // namespace gantry::cli
