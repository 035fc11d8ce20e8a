// A TLS server in front of a plain one: takes a connection, shows a certificate, asks for one if told to, and passes
// bytes.
#pragma once

#include <openssl/ssl.h>
#include <poll.h>

#include <array>
#include <csignal>
#include <memory>
#include <string>

#include "raw_server.hpp"

namespace gantry::call {

class tls_front {
 public:
  // `ca`: whose clients are let in; empty: anybody.
  tls_front(std::uint16_t to, const std::string& cert, const std::string& key, const std::string& ca)
      : to_(to), context_(SSL_CTX_new(TLS_server_method()), SSL_CTX_free) {
    std::signal(SIGPIPE, SIG_IGN);  // OpenSSL writes without saying that it wants no signal
    auto* const c = context_.get();
    if (SSL_CTX_use_certificate_chain_file(c, cert.c_str()) != 1 ||
        SSL_CTX_use_PrivateKey_file(c, key.c_str(), SSL_FILETYPE_PEM) != 1)
      throw std::runtime_error("no certificate " + cert);
    if (!ca.empty()) {
      if (SSL_CTX_load_verify_locations(c, ca.c_str(), nullptr) != 1) throw std::runtime_error("no authority " + ca);
      SSL_CTX_set_verify(c, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
    }
    server_ = std::make_unique<raw_server>([this](raw_server::connection& one) { serve(one); });
  }
  std::uint16_t port() const { return server_->port(); }
  std::size_t accepted() const { return server_->accepted(); }

 private:
  void serve(raw_server::connection& one) const {
    const std::unique_ptr<SSL, decltype(&SSL_free)> session(SSL_new(context_.get()), SSL_free);
    SSL_set_fd(session.get(), one.fd());
    if (SSL_accept(session.get()) != 1) {
      // Closing at once would throw away what the client sends, and with it our alert.
      ::shutdown(one.fd(), SHUT_WR);
      char ignored[4096];
      while (::recv(one.fd(), ignored, sizeof ignored, 0) > 0) {
      }
      return;
    }
    const int back = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(to_);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::connect(back, reinterpret_cast<const sockaddr*>(&to), sizeof to) == 0) pass(session.get(), one.fd(), back);
    ::close(back);
  }

  static void pass(SSL* session, int front, int back) {
    std::array<char, 16384> buffer;
    for (;;) {
      std::array<pollfd, 2> what{{{front, POLLIN, 0}, {back, POLLIN, 0}}};
      if (SSL_pending(session) == 0 && ::poll(what.data(), what.size(), -1) < 0) return;
      if (SSL_pending(session) > 0 || what[0].revents != 0) {
        const int got = SSL_read(session, buffer.data(), static_cast<int>(buffer.size()));
        if (got <= 0 || ::send(back, buffer.data(), static_cast<std::size_t>(got), MSG_NOSIGNAL) != got) return;
      }
      if (what[1].revents != 0) {
        const auto got = ::recv(back, buffer.data(), buffer.size(), 0);
        if (got <= 0) {
          SSL_shutdown(session);
          return;
        }
        if (SSL_write(session, buffer.data(), static_cast<int>(got)) <= 0) return;
      }
    }
  }

  const std::uint16_t to_;
  const std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> context_;
  std::unique_ptr<raw_server> server_;
};

}  // namespace gantry::call
