// Hands short messages to a provider over HTTP: SMS and web push.
//
// POST <url> with {"id", "to", "title", "text"}, the notification's id as Idempotency-Key and, if a token is set,
// "Authorization: Bearer <token>". 2xx is taken; 408, 425, 429, 5xx and broken connections may work later; anything
// else never will. https:// verifies the certificate against the host's name. Thread: pool; each message has a
// connection to itself.
#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "channels/channel.hpp"

namespace notification {

struct http_settings {
  std::string url;                                               // http:// or https://
  std::string token;                                             // empty: no Authorization
  std::string ca_file;                                           // PEM; empty: the system's
  std::chrono::milliseconds timeout = std::chrono::seconds(10);  // of the whole exchange
};

class http_channel final : public channel {
 public:
  // Throws gantry::failure INVALID for a url that is not http:// or https://, or an unreadable ca_file.
  explicit http_channel(http_settings settings);
  ~http_channel() override;
  void send(const outgoing& message) override;

 private:
  class endpoint;
  std::unique_ptr<endpoint> endpoint_;
};

}  // namespace notification
