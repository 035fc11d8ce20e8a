#include "provider/http_channel.hpp"

#include <openssl/ssl.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/ssl.hpp>

#include <string_view>
#include <utility>

#include <gantry/failure.hpp>

#include "channels/file_sink.hpp"

namespace notification {
namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using asio::ip::tcp;
using boost::system::error_code;

namespace {

struct address {
  bool secure = false;
  std::string host;
  std::string port;
  std::string target;
};

[[noreturn]] void refuse(const std::string& text) { throw gantry::failure(GANTRY_INVALID, text); }

address parse_url(const std::string& url) {
  address out;
  std::string_view rest = url;
  if (rest.starts_with("https://")) {
    out.secure = true;
    rest.remove_prefix(8);
  } else if (rest.starts_with("http://")) {
    rest.remove_prefix(7);
  } else {
    refuse("provider url \"" + url + "\" must begin with http:// or https://");
  }
  const std::size_t slash = rest.find('/');
  const std::string_view authority = rest.substr(0, slash);
  out.target = slash == std::string_view::npos ? "/" : rest.substr(slash);
  const std::size_t colon = authority.rfind(':');
  out.host = authority.substr(0, colon);
  out.port = colon == std::string_view::npos ? (out.secure ? "443" : "80") : authority.substr(colon + 1);
  if (out.host.empty() || out.port.empty()) refuse("provider url \"" + url + "\" must name a host");
  return out;
}

bool may_work_later(unsigned status) { return status == 408 || status == 425 || status == 429 || status >= 500; }

}  // namespace

class http_channel::endpoint {
 public:
  explicit endpoint(http_settings settings)
      : settings_(std::move(settings)), at_(parse_url(settings_.url)), tls_(asio::ssl::context::tls_client) {
    error_code error;
    SSL_CTX_set_min_proto_version(tls_.native_handle(), TLS1_2_VERSION);
    tls_.set_verify_mode(asio::ssl::verify_peer);
    if (settings_.ca_file.empty()) {
      tls_.set_default_verify_paths(error);
    } else {
      tls_.load_verify_file(settings_.ca_file, error);
    }
    if (error) refuse("provider ca_file \"" + settings_.ca_file + "\" can't be used: " + error.message());
  }

  void post(const outgoing& message) {
    asio::io_context io;
    const auto deadline = std::chrono::steady_clock::now() + settings_.timeout;
    const auto request = request_of(message);
    unsigned status = 0;
    if (at_.secure) {
      beast::ssl_stream<beast::tcp_stream> stream(io, tls_);
      SSL_set_tlsext_host_name(stream.native_handle(), at_.host.c_str());
      stream.set_verify_callback(asio::ssl::host_name_verification(at_.host));
      connect(io, beast::get_lowest_layer(stream), deadline);
      wait(io, "TLS", [&](auto done) { stream.async_handshake(asio::ssl::stream_base::client, done); });
      status = exchange(io, stream, request);
    } else {
      beast::tcp_stream stream(io);
      connect(io, stream, deadline);
      status = exchange(io, stream, request);
    }
    if (status >= 200 && status < 300) return;
    const std::string text = where() + " answered " + std::to_string(status);
    if (may_work_later(status)) throw gantry::retry_later(text);
    throw gantry::rejected(text);
  }

 private:
  using request_type = http::request<http::string_body>;

  std::string where() const { return at_.host + ":" + at_.port; }

  request_type request_of(const outgoing& message) const {
    request_type out{http::verb::post, at_.target, 11};
    out.set(http::field::host, where());
    out.set(http::field::user_agent, "gantry-notification");
    out.set(http::field::content_type, "application/json");
    out.set("Idempotency-Key", message.id);
    if (!settings_.token.empty()) out.set(http::field::authorization, "Bearer " + settings_.token);
    out.keep_alive(false);
    out.body() = short_message_json(message);
    out.prepare_payload();
    return out;
  }

  // Starts one operation and runs it to its end, which the stream's deadline bounds.
  template <typename Start>
  void wait(asio::io_context& io, std::string_view what, Start start) const {
    error_code outcome;
    start([&outcome](const error_code& error, auto&&...) { outcome = error; });
    io.restart();
    io.run();
    if (outcome) throw gantry::retry_later(where() + ": " + std::string(what) + ": " + outcome.message());
  }

  void connect(asio::io_context& io, beast::tcp_stream& stream, std::chrono::steady_clock::time_point deadline) const {
    tcp::resolver resolver(io);
    error_code error;
    const auto found = resolver.resolve(at_.host, at_.port, error);
    if (error) throw gantry::retry_later(where() + ": can't resolve the name: " + error.message());
    stream.expires_at(deadline);
    wait(io, "can't connect", [&](auto done) { stream.async_connect(found, done); });
  }

  template <typename Stream>
  unsigned exchange(asio::io_context& io, Stream& stream, const request_type& request) const {
    wait(io, "can't send", [&](auto done) { http::async_write(stream, request, done); });
    beast::flat_buffer buffer;
    http::response_parser<http::string_body> answer;
    answer.body_limit(64 * 1024);
    // Only the status matters; a body that is too long or cut off changes nothing about it.
    wait(io, "can't read", [&](auto done) { http::async_read_header(stream, buffer, answer, done); });
    return answer.get().result_int();
  }

  http_settings settings_;
  address at_;
  asio::ssl::context tls_;
};

http_channel::http_channel(http_settings settings) : endpoint_(std::make_unique<endpoint>(std::move(settings))) {}
http_channel::~http_channel() = default;
void http_channel::send(const outgoing& message) { endpoint_->post(message); }

}  // namespace notification
