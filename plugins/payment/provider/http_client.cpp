#include "provider/http_client.hpp"

#include <openssl/ssl.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/ssl.hpp>
#include <exception>
#include <stdexcept>

#include "gantry/failure.hpp"

namespace shop::payment {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using asio::use_awaitable;

constexpr std::size_t max_answer = 1 << 20;
using posting = http::request<http::string_body>;

template <typename Stream>
asio::awaitable<http_answer> exchange(Stream& stream, const posting& message) {
  co_await http::async_write(stream, message, use_awaitable);
  beast::flat_buffer buffer;
  http::response_parser<http::string_body> parser;
  parser.body_limit(max_answer);
  co_await http::async_read(stream, buffer, parser, use_awaitable);
  co_return http_answer{static_cast<int>(parser.get().result_int()), std::move(parser.get().body())};
}

asio::awaitable<void> connect(beast::tcp_stream& stream, const http_base& base, std::chrono::microseconds timeout) {
  asio::ip::tcp::resolver resolver(co_await asio::this_coro::executor);
  const auto addresses = co_await resolver.async_resolve(base.host, base.port, use_awaitable);
  stream.expires_after(timeout);  // for everything that follows on this stream
  co_await stream.async_connect(addresses, use_awaitable);
}

asio::awaitable<http_answer> post(const http_base& base, const posting& message, std::chrono::microseconds timeout) {
  const auto executor = co_await asio::this_coro::executor;
  if (!base.tls) {
    beast::tcp_stream stream(executor);
    co_await connect(stream, base, timeout);
    co_return co_await exchange(stream, message);
  }
  asio::ssl::context tls(asio::ssl::context::tls_client);
  tls.set_default_verify_paths();
  tls.set_verify_mode(asio::ssl::verify_peer);
  SSL_CTX_set_min_proto_version(tls.native_handle(), TLS1_2_VERSION);
  beast::ssl_stream<beast::tcp_stream> stream(executor, tls);
  stream.set_verify_callback(asio::ssl::host_name_verification(base.host));
  SSL_set_tlsext_host_name(stream.native_handle(), base.host.c_str());
  co_await connect(beast::get_lowest_layer(stream), base, timeout);
  co_await stream.async_handshake(asio::ssl::stream_base::client, use_awaitable);
  co_return co_await exchange(stream, message);
}

}  // namespace

http_base parse_base(std::string_view url) {
  const auto refuse = [&] {
    return std::invalid_argument("'" + std::string(url) + "' is no address, expected http(s)://host[:port][/path]");
  };
  http_base base;
  std::string_view rest = url;
  if (rest.starts_with("https://")) {
    base.tls = true;
    rest.remove_prefix(8);
  } else if (rest.starts_with("http://")) {
    rest.remove_prefix(7);
  } else {
    throw refuse();
  }
  const std::size_t slash = std::min(rest.find('/'), rest.size());
  const std::string_view authority = rest.substr(0, slash);
  base.path = rest.substr(slash);
  while (base.path.ends_with('/')) base.path.pop_back();
  const std::size_t colon = authority.rfind(':');
  base.host = authority.substr(0, colon);
  base.port = colon == std::string_view::npos ? (base.tls ? "443" : "80") : authority.substr(colon + 1);
  if (base.host.empty() || base.port.empty() || base.host.find('@') != std::string::npos) throw refuse();
  return base;
}

http_answer post_json(const http_base& base, std::string_view path,
                      const std::vector<std::pair<std::string, std::string>>& headers, const std::string& body,
                      std::chrono::microseconds timeout) {
  posting message(http::verb::post, base.path + std::string(path), 11);
  message.set(http::field::host, base.host);
  message.set(http::field::content_type, "application/json");
  message.set(http::field::connection, "close");
  for (const auto& [name, value] : headers) message.set(name, value);
  message.body() = body;
  message.prepare_payload();

  asio::io_context io;
  http_answer answer;
  std::exception_ptr trouble;
  bool done = false;
  asio::co_spawn(io, post(base, message, timeout), [&](std::exception_ptr failed, http_answer got) {
    trouble = failed;
    answer = std::move(got);
    done = true;
  });
  // The resolver knows no timeout of its own, so the loop has one too.
  io.run_for(std::chrono::duration_cast<std::chrono::milliseconds>(timeout) + std::chrono::milliseconds(1));
  if (!done) throw gantry::retry_later("no answer from " + base.host + " in time");
  if (!trouble) return answer;
  try {
    std::rethrow_exception(trouble);
  } catch (const std::exception& failed) {
    throw gantry::retry_later("no answer from " + base.host + ": " + failed.what());
  }
}

}  // namespace shop::payment
