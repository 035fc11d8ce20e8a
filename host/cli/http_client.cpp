#include "cli/http_client.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>
#include <optional>

namespace gantry::cli {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
using tcp = asio::ip::tcp;

constexpr std::uint64_t largest_answer = 256ULL * 1024 * 1024;

struct endpoint_name {
  std::string host, port;
};

std::optional<endpoint_name> split(const std::string& address) {
  const auto colon = address.rfind(':');
  if (colon == std::string::npos || colon == 0 || colon + 1 == address.size()) return std::nullopt;
  auto host = address.substr(0, colon);
  if (host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);
  const auto port = address.substr(colon + 1);
  if (port.size() > 5 || port.find_first_not_of("0123456789") != std::string::npos) return std::nullopt;
  return endpoint_name{host, port};
}

// The exchange as a chain of steps; the first that fails ends it.
class exchange {
 public:
  explicit exchange(const http_question& what) : stream_(loop_) {
    request_.method_string(what.method);
    request_.target(what.target);
    request_.version(11);
    request_.set(beast::http::field::host, what.address);
    request_.set(beast::http::field::accept, "application/json");
    request_.set(beast::http::field::connection, "close");
    if (what.method == "POST") request_.set(beast::http::field::content_length, "0");
    if (!what.token.empty()) request_.set(beast::http::field::authorization, "Bearer " + what.token);
    parser_.body_limit(largest_answer);
    stream_.expires_after(what.timeout);
  }

  // What failed first, or success.
  beast::error_code run(const tcp::resolver::results_type& where) {
    stream_.async_connect(where, [this](beast::error_code e, const tcp::endpoint&) {
      if (failed(e)) return;
      beast::http::async_write(stream_, request_, [this](beast::error_code w, std::size_t) {
        if (failed(w)) return;
        beast::http::async_read(stream_, buffer_, parser_, [this](beast::error_code r, std::size_t) { failed(r); });
      });
    });
    loop_.run();
    return error_;
  }

  http_answer take() {
    auto message = parser_.release();
    return {static_cast<int>(message.result_int()), std::move(message.body())};
  }

 private:
  bool failed(beast::error_code e) {
    if (e) error_ = e;
    return static_cast<bool>(e);
  }

  asio::io_context loop_{1};
  beast::tcp_stream stream_;
  beast::http::request<beast::http::empty_body> request_;
  beast::flat_buffer buffer_;
  beast::http::response_parser<beast::http::string_body> parser_;
  beast::error_code error_;
};

}  // namespace

result<http_answer> ask(const http_question& what) {
  const auto name = split(what.address);
  if (!name) return error{errc::invalid, "address " + what.address + ": expected host:port"};
  asio::io_context resolving{1};
  beast::error_code unknown;
  const auto where = tcp::resolver(resolving).resolve(name->host, name->port, unknown);
  if (unknown) return error{errc::unavailable, "no host named " + name->host + ": " + unknown.message()};
  exchange going(what);
  const auto failure = going.run(where);
  if (failure == beast::error::timeout)
    return error{errc::timeout, "no answer from http://" + what.address + " within " +
                                    std::to_string(what.timeout.count() / 1000) + " s"};
  if (failure)
    return error{errc::unavailable, "no host answers at http://" + what.address + ": " + failure.message() +
                                        " (is `gantry run` running there? another one: --address)"};
  return going.take();
}

}  // namespace gantry::cli
