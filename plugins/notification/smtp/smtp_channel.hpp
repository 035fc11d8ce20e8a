// Sends mail to one SMTP server (RFC 5321), with STARTTLS (RFC 3207) and AUTH (RFC 4954).
//
// Conversations are kept open for the next mail and closed after some idle time. The server's certificate is verified
// against its name. What the server answers decides: 4xx and broken connections may work later, 5xx never will; but a
// refused login says nothing about the mail, so that too is tried again.
// Thread: pool; each mail has a conversation to itself.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "channels/channel.hpp"
#include "domain/mime.hpp"

namespace notification {

enum class smtp_security {
  none,      // plain text; then no login is possible
  starttls,  // begins in plain text and refuses to go on without TLS
  tls,       // TLS from the first byte
};

struct smtp_settings {
  std::string host;
  std::uint16_t port = 587;
  smtp_security security = smtp_security::starttls;
  std::string ca_file;   // PEM; empty: the system's
  std::string username;  // empty: no login
  std::string password;
  std::string helo = "localhost";
  std::chrono::milliseconds timeout = std::chrono::seconds(10);  // of one exchange
  std::chrono::milliseconds idle = std::chrono::seconds(20);     // how long a conversation is kept
};

class smtp_channel final : public channel {
 public:
  // Connects at the first mail. Throws gantry::failure INVALID for settings that can't work: an unreadable ca_file, or
  // a login over plain text.
  smtp_channel(smtp_settings settings, mailbox from);
  ~smtp_channel() override;
  void send(const outgoing& message) override;

 private:
  class conversation;
  class kept;
  std::unique_ptr<kept> kept_;
};

}  // namespace notification
