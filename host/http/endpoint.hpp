// The host's own HTTP/1.1 endpoint: other hosts' calls, operators, and clients of the demo. TCP, plain or with TLS.
// Opened by app; Pistache carries the connections and shows in no header. The handler runs on an endpoint thread.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace gantry::http {

struct header {
  std::string name;  // lower case in requests
  std::string value;
};

// A complete request. Framing (content-length, transfer-encoding, expect, connection) is already done with.
struct request {
  std::string method;           // as sent; methods are upper case by convention and compare exactly
  std::string target;           // the path as sent, begins with '/', or is "*" for OPTIONS; see url.hpp for decoding
  std::string query;            // as sent, without '?'
  std::vector<header> headers;  // in order; names may repeat
  std::string body;             // chunks already joined
  std::string remote;           // numeric address of the peer, without port
  std::string peer;             // who the client is by its verified certificate: first DNS name, else common name
};

// The value of the first header of this name (lower case), or empty.
std::string_view find_header(const std::vector<header>& headers, std::string_view name) noexcept;

struct reply {
  int status = 200;             // 200..599
  std::vector<header> headers;  // content-length, date, connection and transfer-encoding are the endpoint's
  std::string body;             // left out on the wire for HEAD, 204 and 304
};

class exchange;

// Answers one request, exactly once. Movable. May outlive the connection and the endpoint: the reply is then dropped.
// Destroyed without an answer, it answers 500. Thread: any, one at a time.
class responder {
 public:
  responder() noexcept = default;
  explicit responder(std::shared_ptr<exchange> what) noexcept : exchange_(std::move(what)) {}
  responder(responder&& other) noexcept = default;
  responder& operator=(responder&& other) noexcept;
  responder(const responder&) = delete;
  responder& operator=(const responder&) = delete;
  ~responder();

  // Sends the reply without waiting for the network. A second call does nothing. A reply that HTTP does not allow (bad
  // status, a header with a line break) goes out as 500.
  void send(reply&& answer);

  // False once the client has gone; work for it may be dropped.
  bool wanted() const noexcept;

 private:
  std::shared_ptr<exchange> exchange_;
};

// Called on an endpoint thread; must not block. An exception answers 500.
using handler = std::function<void(request&&, responder&&)>;

// TLS 1.2 or later. Files in PEM, read when the endpoint opens and again when they change: new connections use the new
// ones. New files that can't be used are left, with a warning, and the old ones serve on.
struct endpoint_tls {
  std::string cert;  // this host's certificate, then those between it and its authority
  std::string key;   // its key, without a passphrase
  std::string ca;    // who signs the clients' certificates, which are required then; empty: clients show none
  std::chrono::milliseconds check_every{60'000};  // how often the files are looked at

  // For a log; called on threads of the endpoint, must neither block nor throw. `warn`: a person must act. `refused`: a
  // client that did not get through its handshake, by numeric address, and why.
  std::function<void(std::string_view text)> warn{};
  std::function<void(std::string_view remote, std::string_view reason)> refused{};
};

// Since the endpoint was opened.
struct tls_figures {
  std::uint64_t accepted = 0;          // handshakes
  std::uint64_t refused = 0;           // handshakes that failed, took too long or were given up
  std::int64_t certificate_until = 0;  // seconds since 1970 at which the certificate in use expires
};

struct endpoint_options {
  std::string address = "127.0.0.1";  // numeric IPv4 or IPv6, or "localhost"
  std::uint16_t port = 0;             // 0: a free one
  bool reserved = false;              // a process of ours holds the port for us, see supervisor/reserved_port.hpp
  std::size_t threads = 1;
  std::size_t max_body = 1024 * 1024;   // bytes; beyond: 413
  std::size_t max_headers = 16 * 1024;  // bytes of request line and headers; beyond: 431 (414 for the line alone)
  std::size_t max_connections = 4096;   // beyond: 503 and close; TLS: close
  std::chrono::milliseconds header_timeout{10'000};     // from a request's first byte to its last header; 408
  std::chrono::milliseconds body_timeout{30'000};       // from there to the last byte of the body; 408
  std::chrono::milliseconds keepalive_timeout{60'000};  // between requests, and before the first; closes
  std::optional<endpoint_tls> tls{};                    // none: plain. The handshake must be done in header_timeout
};

// Exchanges in progress, by what they wait for.
struct exchange_figures {
  std::size_t handled = 0;      // for the handler's answer
  std::size_t with_client = 0;  // for the client: to send the rest of its request, or to read the reply
  bool none() const noexcept { return handled == 0 && with_client == 0; }
};

// Owned by app. Thread: any.
class endpoint {
 public:
  endpoint() = default;
  endpoint(const endpoint&) = delete;
  endpoint& operator=(const endpoint&) = delete;
  virtual ~endpoint() = default;  // stops

  // The port that is bound.
  virtual std::uint16_t port() const = 0;

  // Drains: answers new connections with 503 and Retry-After, closes idle ones, lets exchanges in progress finish and
  // closes each connection behind its answer. Returns at once; drained when in_progress() is empty.
  virtual void stop_accepting() = 0;

  // Behind stop_accepting(): closes the connections of exchanges that wait for their client, who may let us wait
  // forever. Requests that are being handled are still answered; nothing else becomes one any more. Returns at once.
  virtual void hang_up() = 0;

  // The exchanges that have begun and not ended.
  virtual exchange_figures in_progress() const = 0;

  // Reads the certificate files now. Errors (invalid, io): they can't be used, the old ones stay. Does nothing without
  // TLS.
  virtual result<void> reload() = 0;

  // All 0 without TLS.
  virtual tls_figures tls() const = 0;

  // Closes everything and joins the threads; replies that come later are dropped. Not from inside the handler, which
  // must stay valid until this has returned, as must the functions of endpoint_tls.
  virtual void stop() = 0;
};

// Binds and serves. Errors: invalid (address that does not parse; a certificate file that is not PEM, expired, or does
// not fit the others: the text names it), conflict (address in use; the text names it), io (a file that can't be read).
result<std::unique_ptr<endpoint>> open_endpoint(const endpoint_options& options, handler serve);

}  // namespace gantry::http
