#include "http/tls_context.hpp"

#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <string_view>
#include <vector>

#include "http/certificate.hpp"

namespace gantry::http {
namespace {

using certificate = std::unique_ptr<X509, decltype(&X509_free)>;
using private_key = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;

constexpr std::size_t max_file = 4 * 1024 * 1024;  // bytes; a system's list of authorities has a quarter of a megabyte

// A file as the messages name it, and what it holds. Wiped at the end: it may be a key.
struct pem_file {
  pem_file(const char* what, const std::string& path) : name(std::string("http: tls.") + what + " " + path) {}
  pem_file(const pem_file&) = delete;
  pem_file& operator=(const pem_file&) = delete;
  ~pem_file() { OPENSSL_cleanse(text.data(), text.size()); }

  error bad(const std::string& why) const { return {errc::invalid, name + ": " + why}; }
  error unreadable(int reason) const { return {errc::io, name + ": " + std::strerror(reason)}; }

  std::string name;
  std::string text;
  mode_t mode = 0;
};

result<void> read(const std::string& path, pem_file& into) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return into.unreadable(errno);
  struct stat found {};
  ::fstat(fd, &found);
  result<void> done;
  if (!S_ISREG(found.st_mode)) {
    done = into.bad("found no regular file");
  } else if (static_cast<std::size_t>(found.st_size) > max_file) {
    done = into.bad("found " + std::to_string(found.st_size) + " bytes, expected a PEM file");
  } else {
    into.mode = found.st_mode;
    // In one piece, so that no half of a key is left behind by a string that grows.
    into.text.resize(static_cast<std::size_t>(found.st_size));
    std::size_t have = 0;
    ssize_t got = 0;
    while (have < into.text.size() && (got = ::read(fd, into.text.data() + have, into.text.size() - have)) > 0)
      have += static_cast<std::size_t>(got);
    if (got < 0) done = into.unreadable(errno);
    into.text.resize(have);
  }
  ::close(fd);
  return done;
}

// Without this OpenSSL would ask for the passphrase on the terminal, and wait.
int no_passphrase(char* /*to*/, int /*size*/, int /*rw*/, void* asked) {
  *static_cast<bool*>(asked) = true;
  return -1;
}

std::unique_ptr<BIO, decltype(&BIO_free)> bytes_of(const pem_file& file) {
  return {BIO_new_mem_buf(file.text.data(), static_cast<int>(file.text.size())), BIO_free};
}

// Every certificate of a file; at least one.
result<std::vector<certificate>> certificates_of(const pem_file& file) {
  std::vector<certificate> all;
  const auto bytes = bytes_of(file);
  for (;;) {
    ERR_clear_error();
    bool asked = false;
    certificate one(PEM_read_bio_X509_AUX(bytes.get(), nullptr, no_passphrase, &asked), X509_free);
    if (one == nullptr) break;
    all.push_back(std::move(one));
  }
  const bool at_end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
  if (!at_end) return file.bad("found a certificate that can't be read: " + tls_reason());
  ERR_clear_error();
  if (all.empty()) return file.bad("found no certificate in PEM (-----BEGIN CERTIFICATE-----)");
  return all;
}

result<private_key> key_of(const pem_file& file) {
  ERR_clear_error();
  bool asked = false;
  private_key key(PEM_read_bio_PrivateKey(bytes_of(file).get(), nullptr, no_passphrase, &asked), EVP_PKEY_free);
  if (asked) return file.bad("found a key with a passphrase, expected one without (openssl pkey -in ... -out ...)");
  if (key == nullptr) return file.bad("found no private key in PEM (-----BEGIN PRIVATE KEY-----)");
  return key;
}

result<void> check_dates(const pem_file& file, const X509* own) {
  const std::int64_t now = std::time(nullptr);
  if (const auto until = valid_until(own); until < now)
    return file.bad("found a certificate that expired at " + shown_time(until) + ", expected a valid one: renew it");
  if (const auto from = valid_from(own); from > now)
    return file.bad("found a certificate that is valid from " + shown_time(from) + " on, and it is " + shown_time(now) +
                    ": is the clock right?");
  return {};
}

result<void> show_certificate(SSL_CTX* context, const endpoint_tls& files, tls_context& made) {
  pem_file cert("cert", files.cert);
  pem_file secret("key", files.key);
  if (auto done = read(files.cert, cert); !done) return done;
  if (auto done = read(files.key, secret); !done) return done;
  auto chain = certificates_of(cert);
  if (!chain) return chain.failure();
  auto key = key_of(secret);
  if (!key) return key.failure();
  const auto& own = chain->front();
  if (auto done = check_dates(cert, own.get()); !done) return done;
  if (X509_check_private_key(own.get(), key->get()) != 1)
    return secret.bad("the key does not match the certificate in " + files.cert);
  ERR_clear_error();
  if (SSL_CTX_use_certificate(context, own.get()) != 1) return cert.bad(tls_reason());
  if (SSL_CTX_use_PrivateKey(context, key->get()) != 1) return secret.bad(tls_reason());
  for (std::size_t i = 1; i < chain->size(); ++i) {
    if (SSL_CTX_add1_chain_cert(context, (*chain)[i].get()) != 1) return cert.bad(tls_reason());
  }
  made.valid_until = valid_until(own.get());
  if ((secret.mode & S_IRWXO) != 0)
    made.warning = secret.name + ": everybody on this machine can read the key: take that away (chmod o= )";
  return {};
}

result<void> require_certificates(SSL_CTX* context, const endpoint_tls& files) {
  pem_file file("ca", files.ca);
  if (auto done = read(files.ca, file); !done) return done;
  const auto authorities = certificates_of(file);
  if (!authorities) return authorities.failure();
  std::int64_t last = 0;
  for (const auto& one : *authorities) {
    last = std::max(last, valid_until(one.get()));
    ERR_clear_error();
    if (X509_STORE_add_cert(SSL_CTX_get_cert_store(context), one.get()) != 1) return file.bad(tls_reason());
    // Tells clients whose certificates are wanted.
    if (SSL_CTX_add_client_CA(context, one.get()) != 1) return file.bad(tls_reason());
  }
  if (last < std::time(nullptr))
    return file.bad("found authorities that have all expired, the last at " + shown_time(last) + ": renew them");
  // Each connection is verified anew: a resumed session would be let in on a certificate that has expired since.
  SSL_CTX_set_num_tickets(context, 0);
  SSL_CTX_set_options(context, SSL_OP_NO_TICKET);
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  return {};
}

int choose_protocol(SSL* /*of*/, const unsigned char** chosen, unsigned char* size, const unsigned char* offered,
                    unsigned int offered_size, void* /*argument*/) {
  static constexpr std::array<unsigned char, 9> ours{8, 'h', 't', 't', 'p', '/', '1', '.', '1'};
  unsigned char* found = nullptr;
  if (SSL_select_next_proto(&found, size, ours.data(), ours.size(), offered, offered_size) != OPENSSL_NPN_NEGOTIATED)
    return SSL_TLSEXT_ERR_ALERT_FATAL;
  *chosen = found;
  return SSL_TLSEXT_ERR_OK;
}

}  // namespace

result<tls_context> read_tls_context(const endpoint_tls& files) {
  tls_context made;
  made.context.reset(SSL_CTX_new(TLS_server_method()), SSL_CTX_free);
  auto* const context = made.context.get();
  if (context == nullptr) return error{errc::internal, "http: OpenSSL gives no context: " + tls_reason()};
  SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
  SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
  // A connection that waits between requests keeps no buffers; 34 KB each otherwise.
  SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
  // Tickets need no memory here.
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_alpn_select_cb(context, choose_protocol, nullptr);
  if (auto done = show_certificate(context, files, made); !done) return done.failure();
  if (files.ca.empty()) return made;
  if (auto done = require_certificates(context, files); !done) return done.failure();
  return made;
}

}  // namespace gantry::http
