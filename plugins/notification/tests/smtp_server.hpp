// A small SMTP server on loopback: enough of RFC 5321 to hold both ends of a conversation, with answers that a test
// chooses. It records what it was told. Runs on a thread of its own from construction to destruction.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "certificate.hpp"

namespace notification::testing {

struct smtp_script {
  std::optional<certificate> tls{};  // offers STARTTLS
  bool tls_from_start = false;       // TLS before the greeting
  std::string auth{};                // "PLAIN LOGIN"; offered once TLS is spoken
  std::string accepted_login{};      // "user:password"
  // Replies in place of the usual ones, by the command's first word, "DATA" for the command and "." for the message;
  // each is used once, in this order, and an empty one is never sent: the server falls silent.
  std::map<std::string, std::vector<std::string>> replies{};
  std::string after_starttls{};             // sent in plain text together with the answer to STARTTLS
  std::size_t mails_per_connection = 1000;  // then it hangs up without a word
};

struct received_mail {
  std::string from;
  std::string to;
  std::string content;  // without dot-stuffing
  bool encrypted = false;
};

class smtp_server {
 public:
  explicit smtp_server(smtp_script script = {});
  smtp_server(const smtp_server&) = delete;
  smtp_server& operator=(const smtp_server&) = delete;
  ~smtp_server();

  std::uint16_t port() const;
  std::vector<received_mail> mails() const;
  std::vector<std::string> commands() const;
  std::size_t connections() const;

 private:
  class core;
  std::unique_ptr<core> core_;
};

}  // namespace notification::testing
