// A client that speaks TLS to an endpoint under test, in one piece or byte by byte.
#pragma once

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <array>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>

#include "client.hpp"

namespace gantry::http {

struct tls_client_options {
  std::string cert;  // empty: shows none
  std::string key;
  std::string ca;
  int newest = TLS1_3_VERSION;
  std::string alpn;           // as on the wire; empty: offers nothing
  bool byte_by_byte = false;  // each byte in a segment of its own
};

class tls_client : public client {
 public:
  tls_client(std::uint16_t port, const tls_client_options& o)
      : client(port), context_(SSL_CTX_new(TLS_client_method()), SSL_CTX_free), session_(nullptr, SSL_free) {
    auto* const c = context_.get();
    SSL_CTX_set_max_proto_version(c, o.newest);
    if (o.newest < TLS1_2_VERSION) {
      SSL_CTX_set_min_proto_version(c, o.newest);
      SSL_CTX_set_security_level(c, 0);
    }
    if (!o.cert.empty() && (SSL_CTX_use_certificate_chain_file(c, o.cert.c_str()) != 1 ||
                            SSL_CTX_use_PrivateKey_file(c, o.key.c_str(), SSL_FILETYPE_PEM) != 1))
      throw std::runtime_error("no certificate " + o.cert);
    if (SSL_CTX_load_verify_file(c, o.ca.c_str()) != 1) throw std::runtime_error("no authority " + o.ca);
    SSL_CTX_set_verify(c, SSL_VERIFY_PEER, nullptr);
    if (!o.alpn.empty())
      SSL_CTX_set_alpn_protos(c, reinterpret_cast<const unsigned char*>(o.alpn.data()),
                              static_cast<unsigned>(o.alpn.size()));
    session_.reset(SSL_new(c));
    incoming_ = BIO_new(BIO_s_mem());
    outgoing_ = BIO_new(BIO_s_mem());
    BIO_set_mem_eof_return(incoming_, -1);
    SSL_set_bio(session_.get(), incoming_, outgoing_);
    SSL_set_connect_state(session_.get());
    byte_by_byte_ = o.byte_by_byte;
    no_delay();
  }

  // Sends the first message of the handshake and waits for nothing.
  void say_hello() {
    SSL_do_handshake(session_.get());
    flush();
  }
  // False: there is none; `problem` says why, an alert of the server for example.
  bool shake_hands() {
    for (;;) {
      ERR_clear_error();
      const int done = SSL_do_handshake(session_.get());
      const bool wants = done != 1 && SSL_get_error(session_.get(), done) == SSL_ERROR_WANT_READ;
      if (done != 1 && !wants) note();
      flush();
      if (done == 1) return true;
      if (!wants || !more()) return false;
    }
  }

  void send(std::string_view bytes) override {
    while (!bytes.empty()) {
      const auto part = bytes.substr(0, 16384);
      if (SSL_write(session_.get(), part.data(), static_cast<int>(part.size())) <= 0) return note();
      flush();
      bytes.remove_prefix(part.size());
    }
  }
  void send_no_more() override {
    SSL_shutdown(session_.get());
    flush();
  }
  // Asks for what TLS 1.2 calls renegotiation.
  void renegotiate() {
    SSL_renegotiate(session_.get());
    SSL_do_handshake(session_.get());
    flush();
  }

  std::string alpn() const {
    const unsigned char* name = nullptr;
    unsigned size = 0;
    SSL_get0_alpn_selected(session_.get(), &name, &size);
    return {reinterpret_cast<const char*>(name), size};
  }
  // The serial number of the certificate that the server shows.
  std::string serial() const {
    const std::unique_ptr<X509, decltype(&X509_free)> shown(SSL_get1_peer_certificate(session_.get()), X509_free);
    if (shown == nullptr) return {};
    const std::unique_ptr<BIGNUM, decltype(&BN_free)> number(
        ASN1_INTEGER_to_BN(X509_get0_serialNumber(shown.get()), nullptr), BN_free);
    char* const text = BN_bn2hex(number.get());
    std::string serial(text);
    OPENSSL_free(text);
    return serial;
  }
  bool told_the_end() const { return (SSL_get_shutdown(session_.get()) & SSL_RECEIVED_SHUTDOWN) != 0; }

  std::string problem;

 protected:
  bool receive_into(std::string& all) override {
    std::array<char, 16384> buffer;
    for (;;) {
      ERR_clear_error();
      const int got = SSL_read(session_.get(), buffer.data(), static_cast<int>(buffer.size()));
      if (got > 0) {
        all.append(buffer.data(), static_cast<std::size_t>(got));
        return true;
      }
      const int why = SSL_get_error(session_.get(), got);
      if (why != SSL_ERROR_WANT_READ) {
        if (why != SSL_ERROR_ZERO_RETURN) note();
        return false;
      }
      flush();
      if (!more()) return false;
    }
  }

 private:
  void note() {
    if (const auto* const words = ERR_reason_error_string(ERR_peek_error()); words != nullptr) problem = words;
  }
  bool more() {
    std::string bytes;
    if (!take(bytes)) return false;
    BIO_write(incoming_, bytes.data(), static_cast<int>(bytes.size()));
    return true;
  }
  void flush() {
    std::array<char, 16384> buffer;
    int size = 0;
    while ((size = BIO_read(outgoing_, buffer.data(), static_cast<int>(buffer.size()))) > 0) {
      const std::string_view bytes(buffer.data(), static_cast<std::size_t>(size));
      if (!byte_by_byte_) {
        put(bytes);
      } else {
        for (const char& one : bytes) put({&one, 1});
      }
    }
  }

  std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> context_;
  std::unique_ptr<SSL, decltype(&SSL_free)> session_;
  BIO* incoming_ = nullptr;  // the session's, as is outgoing_
  BIO* outgoing_ = nullptr;
  bool byte_by_byte_ = false;
};

}  // namespace gantry::http
