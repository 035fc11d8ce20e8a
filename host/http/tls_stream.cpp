#include "http/tls_stream.hpp"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include <algorithm>
#include <limits>
#include <new>

#include "http/certificate.hpp"

namespace gantry::http {
namespace {

// A session forgets a certificate that it refuses, so what a person must know of it is noted when it is checked.
int note_refused(int accepted, X509_STORE_CTX* checking) {
  if (accepted == 1) return 1;
  auto* const session = static_cast<SSL*>(X509_STORE_CTX_get_ex_data(checking, SSL_get_ex_data_X509_STORE_CTX_idx()));
  if (auto* const to = static_cast<std::string*>(SSL_get_app_data(session)); to != nullptr) {
    const auto* const own = X509_STORE_CTX_get0_cert(checking);
    const auto* const at_fault = X509_STORE_CTX_get_current_cert(checking);
    try {
      *to = subject_of(own) + " by " + issuer_of(own);
      if (const auto until = valid_until(at_fault != nullptr ? at_fault : own);
          X509_STORE_CTX_get_error(checking) == X509_V_ERR_CERT_HAS_EXPIRED)
        *to += ", " + shown_time(until);
    } catch (const std::bad_alloc&) {
      to->clear();  // OpenSSL is no place for an exception
    }
  }
  return 0;
}

}  // namespace

tls_stream::tls_stream(SSL_CTX* context)
    : session_(SSL_new(context), SSL_free), incoming_(nullptr), outgoing_(nullptr) {
  if (session_ == nullptr) throw std::bad_alloc();
  incoming_ = BIO_new(BIO_s_mem());
  outgoing_ = BIO_new(BIO_s_mem());
  if (incoming_ == nullptr || outgoing_ == nullptr) {
    BIO_free(incoming_);
    BIO_free(outgoing_);
    throw std::bad_alloc();
  }
  BIO_set_mem_eof_return(incoming_, -1);
  SSL_set_bio(session_.get(), incoming_, outgoing_);
  SSL_set_accept_state(session_.get());
  SSL_set_app_data(session_.get(), &reason_);
  SSL_set_verify(session_.get(), SSL_get_verify_mode(session_.get()), note_refused);
}

void tls_stream::arrived(std::string_view bytes) {
  if (state_ == state::failed) return;
  untouched_ = false;
  ERR_clear_error();
  while (!bytes.empty()) {
    const auto part = std::min<std::size_t>(bytes.size(), std::numeric_limits<int>::max());
    if (BIO_write(incoming_, bytes.data(), static_cast<int>(part)) != static_cast<int>(part)) return fail();
    bytes.remove_prefix(part);
  }
  if (state_ == state::handshake) shake_hands();
}

void tls_stream::shake_hands() {
  ERR_clear_error();
  const int done = SSL_do_handshake(session_.get());
  if (done != 1) return take_result(done);
  state_ = state::open;
  reason_.clear();
  if (const auto* const shown = SSL_get0_peer_certificate(session_.get());
      shown != nullptr && SSL_get_verify_result(session_.get()) == X509_V_OK)
    peer_ = identity_of(shown);
  collect();
}

std::size_t tls_stream::read(std::span<char> to) {
  if (state_ != state::open) return 0;
  ERR_clear_error();
  std::size_t got = 0;
  const int done = SSL_read_ex(session_.get(), to.data(), to.size(), &got);
  if (done == 1) return got;
  take_result(done);
  return 0;
}

void tls_stream::take_result(int done) {
  const int why = SSL_get_error(session_.get(), done);
  if (why == SSL_ERROR_ZERO_RETURN) {
    state_ = state::ended;
  } else if (why != SSL_ERROR_WANT_READ) {
    fail();
  }
  collect();
}

void tls_stream::fail() {
  reason_ = describe();
  state_ = state::failed;
}

std::string tls_stream::describe() const {
  switch (const auto verdict = SSL_get_verify_result(session_.get())) {
    case X509_V_OK:
      break;
    case X509_V_ERR_CERT_HAS_EXPIRED:
      return "its certificate has expired: " + reason_;
    case X509_V_ERR_CERT_NOT_YET_VALID:
      return "its certificate is not valid yet: " + reason_;
    case X509_V_ERR_INVALID_PURPOSE:
      return "its certificate is not for clients (extendedKeyUsage lacks clientAuth): " + reason_;
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
      return "its certificate comes from an unknown authority: " + reason_;
    default:
      return std::string("its certificate is refused: ") + X509_verify_cert_error_string(verdict) + ": " + reason_;
  }
  const auto code = ERR_peek_error();
  if (ERR_GET_LIB(code) != ERR_LIB_SSL) return tls_reason();
  const int reason = ERR_GET_REASON(code);
  // Above this number stand the alerts that the other side sent.
  if (reason >= SSL_AD_REASON_OFFSET) return "it refuses this host's certificate or TLS: " + tls_reason();
  switch (reason) {
    case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE:
      return "it shows no certificate";
    case SSL_R_WRONG_VERSION_NUMBER:
    case SSL_R_HTTP_REQUEST:
    case SSL_R_HTTPS_PROXY_REQUEST:
      return "it does not speak TLS";
    case SSL_R_UNSUPPORTED_PROTOCOL:
      return "it does not speak TLS 1.2 or later";
    case SSL_R_NO_APPLICATION_PROTOCOL:
      return "it does not speak http/1.1";
    default:
      return tls_reason();
  }
}

void tls_stream::write(std::string_view plain) {
  if (plain.empty() || (state_ != state::open && state_ != state::ended)) return;
  ERR_clear_error();
  std::size_t taken = 0;
  // A memory BIO takes all of it.
  if (SSL_write_ex(session_.get(), plain.data(), plain.size(), &taken) != 1) fail();
  collect();
}

void tls_stream::finish() {
  if (state_ != state::open && state_ != state::ended) return;
  if ((SSL_get_shutdown(session_.get()) & SSL_SENT_SHUTDOWN) != 0) return;
  ERR_clear_error();
  SSL_shutdown(session_.get());
  collect();
}

void tls_stream::collect() {
  const auto size = BIO_ctrl_pending(outgoing_);
  if (size == 0) return;
  const auto before = output_.size();
  output_.resize(before + size);
  const int got = BIO_read(outgoing_, output_.data() + before, static_cast<int>(size));
  output_.resize(before + static_cast<std::size_t>(std::max(got, 0)));
}

void tls_stream::sent(std::size_t bytes) {
  offset_ += bytes;
  if (offset_ < output_.size()) return;
  output_.clear();
  offset_ = 0;
}

}  // namespace gantry::http
