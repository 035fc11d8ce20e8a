#include "call/remote/tls.hpp"

#include <arpa/inet.h>
#include <poll.h>

#include <array>
#include <boost/asio/ssl/context.hpp>
#include <limits>

namespace gantry::call {

namespace ssl = boost::asio::ssl;

class tls_context {
 public:
  mutable ssl::context context{ssl::context::tls_client};  // OpenSSL counts references in it, under its own lock
  std::string ca;                                          // for texts
};

namespace {

constexpr const char* no_handshake = "no answer in the TLS handshake; does it speak TLS?";

error unusable(const char* what, const std::string& file, const boost::system::error_code& why) {
  return {errc::invalid, std::string("tls.") + what + " " + file + ": " + why.message()};
}

result<void> show_certificate(ssl::context& context, const tls_files& files) {
  if (files.cert.empty() && files.key.empty()) return {};
  if (files.cert.empty() || files.key.empty())
    return error{errc::invalid, "tls: found only one of cert and key, expected both or none"};
  boost::system::error_code failure;
  if (context.use_certificate_chain_file(files.cert, failure); failure) return unusable("cert", files.cert, failure);
  if (context.use_private_key_file(files.key, ssl::context::pem, failure); failure)
    return unusable("key", files.key, failure);
  if (SSL_CTX_check_private_key(context.native_handle()) != 1)
    return error{errc::invalid, "tls.key " + files.key + " does not belong to tls.cert " + files.cert};
  return {};
}

bool is_numeric(const std::string& name) {
  in6_addr ignored{};
  return inet_pton(AF_INET, name.c_str(), &ignored) == 1 || inet_pton(AF_INET6, name.c_str(), &ignored) == 1;
}

// The names a certificate is for, as people read them.
std::string names_of(X509* certificate) {
  std::string all;
  auto* const names =
      static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr));
  for (int i = 0; i < sk_GENERAL_NAME_num(names); ++i) {
    const auto* const one = sk_GENERAL_NAME_value(names, i);
    std::string text;
    if (one->type == GEN_DNS) {
      text.assign(reinterpret_cast<const char*>(ASN1_STRING_get0_data(one->d.dNSName)),
                  static_cast<std::size_t>(ASN1_STRING_length(one->d.dNSName)));
    } else if (one->type == GEN_IPADD) {
      std::array<char, INET6_ADDRSTRLEN> shown{};
      const int family = ASN1_STRING_length(one->d.iPAddress) == 4 ? AF_INET : AF_INET6;
      inet_ntop(family, ASN1_STRING_get0_data(one->d.iPAddress), shown.data(), shown.size());
      text = shown.data();
    }
    if (!text.empty()) all += (all.empty() ? "" : ", ") + text;
  }
  GENERAL_NAMES_free(names);
  return all.empty() ? "no name" : all;
}

std::string issuer_of(X509* certificate) {
  std::array<char, 256> shown{};
  X509_NAME_oneline(X509_get_issuer_name(certificate), shown.data(), static_cast<int>(shown.size()));
  return shown.data();
}

}  // namespace

result<std::shared_ptr<const tls_context>> make_tls_context(const tls_files& files) {
  try {
    auto made = std::make_shared<tls_context>();
    auto& context = made->context;
    SSL_CTX_set_min_proto_version(context.native_handle(), TLS1_2_VERSION);
    boost::system::error_code failure;
    context.set_verify_mode(ssl::verify_peer, failure);
    if (files.ca.empty()) {
      made->ca = "the system's list";
      context.set_default_verify_paths(failure);
    } else {
      made->ca = files.ca;
      if (context.load_verify_file(files.ca, failure); failure) return unusable("ca", files.ca, failure);
    }
    if (auto shown = show_certificate(context, files); !shown) return shown.failure();
    return std::shared_ptr<const tls_context>(std::move(made));
  } catch (const std::exception& failure) {
    return error{errc::invalid, std::string("tls: ") + failure.what()};
  }
}

struct tls_session::parts {
  explicit parts(std::shared_ptr<const tls_context> with)
      : context(std::move(with)), session(SSL_new(context->context.native_handle())) {
    if (session == nullptr) throw std::bad_alloc();
    // Both are the session's from here on.
    incoming = BIO_new(BIO_s_mem());
    outgoing = BIO_new(BIO_s_mem());
    BIO_set_mem_eof_return(incoming, -1);
    SSL_set_bio(session, incoming, outgoing);
    SSL_set_connect_state(session);
    SSL_set_app_data(session, this);
    SSL_set_verify(session, SSL_VERIFY_PEER, note_refused);
  }
  parts(const parts&) = delete;
  parts& operator=(const parts&) = delete;
  ~parts() { SSL_free(session); }

  // A session forgets a certificate that it refuses, so what a person must know of it is noted here.
  static int note_refused(int accepted, X509_STORE_CTX* checking) {
    if (accepted == 1) return 1;
    auto* const session = static_cast<SSL*>(X509_STORE_CTX_get_ex_data(checking, SSL_get_ex_data_X509_STORE_CTX_idx()));
    auto* const to = static_cast<parts*>(SSL_get_app_data(session));
    auto* const certificate = X509_STORE_CTX_get0_cert(checking);
    to->refused_names = names_of(certificate);
    to->refused_issuer = issuer_of(certificate);
    return 0;
  }

  std::shared_ptr<const tls_context> context;
  SSL* session;
  BIO* incoming;
  BIO* outgoing;
  std::string refused_names;
  std::string refused_issuer;
};

tls_session::tls_session(std::shared_ptr<const tls_context> context, const std::string& server_name)
    : parts_(std::make_unique<parts>(std::move(context))), server_name_(server_name) {
  auto* const session = parts_->session;
  auto* const wanted = SSL_get0_param(session);
  if (is_numeric(server_name)) {
    X509_VERIFY_PARAM_set1_ip_asc(wanted, server_name.c_str());
  } else {
    X509_VERIFY_PARAM_set_hostflags(wanted, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    X509_VERIFY_PARAM_set1_host(wanted, server_name.c_str(), server_name.size());
    SSL_set_tlsext_host_name(session, const_cast<char*>(server_name.c_str()));
  }
}

tls_session::~tls_session() = default;

void tls_session::collect() {
  std::array<char, 4096> buffer;
  int size = 0;
  while ((size = BIO_read(parts_->outgoing, buffer.data(), static_cast<int>(buffer.size()))) > 0)
    output_.append(buffer.data(), static_cast<std::size_t>(size));
}

std::string tls_session::describe() const {
  auto* const session = parts_->session;
  const auto verdict = SSL_get_verify_result(session);
  switch (verdict) {
    case X509_V_OK:
      break;
    case X509_V_ERR_CERT_HAS_EXPIRED:
      return "its certificate has expired";
    case X509_V_ERR_CERT_NOT_YET_VALID:
      return "its certificate is not valid yet";
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
      return "its certificate is for another host: found " + parts_->refused_names + ", expected " + server_name_;
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
      return "its certificate comes from an unknown authority: found " + parts_->refused_issuer + ", expected one of " +
             parts_->context->ca;
    default:
      return std::string("its certificate is refused: ") + X509_verify_cert_error_string(verdict);
  }
  const auto code = ERR_peek_error();
  if (code == 0) return "the TLS connection ended without a word";
  const auto* const words = ERR_reason_error_string(code);
  const std::string text = words != nullptr ? words : "error " + std::to_string(code);
  // Above this number stand the alerts that the other side sent.
  if (ERR_GET_LIB(code) == ERR_LIB_SSL && ERR_GET_REASON(code) >= SSL_AD_REASON_OFFSET)
    return "it refuses this host's TLS (certificate missing, expired or unknown there?): " + text;
  if (ERR_GET_LIB(code) == ERR_LIB_SSL && ERR_GET_REASON(code) == SSL_R_WRONG_VERSION_NUMBER)
    return "it does not speak TLS: " + text;
  return text;
}

result<void> tls_session::handshake(tcp_socket& over, const deadline& by) {
  std::array<char, 4096> buffer;
  for (;;) {
    ERR_clear_error();
    const int done = SSL_do_handshake(parts_->session);
    const int why = done == 1 ? SSL_ERROR_NONE : SSL_get_error(parts_->session, done);
    if (why != SSL_ERROR_NONE && why != SSL_ERROR_WANT_READ) reason_ = describe();
    collect();
    while (!output_.empty()) {
      std::string_view rest = output_;
      const auto end = over.send(rest);
      sent(output_.size() - rest.size());
      if (end == io::broken)
        return error{errc::unavailable, reason_.empty() ? "TLS handshake: " + over.reason() : reason_};
      if (end == io::blocked && over.wait(POLLOUT, by) == 0) return error{errc::timeout, no_handshake};
    }
    if (why == SSL_ERROR_NONE) return {};
    if (why != SSL_ERROR_WANT_READ) return error{errc::unavailable, reason_};
    std::size_t got = 0;
    if (over.wait(POLLIN, by) == 0) return error{errc::timeout, no_handshake};
    switch (over.receive(buffer.data(), buffer.size(), got)) {
      case io::ok:
        arrived({buffer.data(), got});
        break;
      case io::blocked:
        break;
      case io::ended:
      case io::timed_out:
        return error{errc::unavailable, "the TLS handshake ended without a word"};
      case io::broken:
        return error{errc::unavailable, "TLS handshake: " + over.reason()};
    }
  }
}

io tls_session::encrypt(std::string_view& bytes) {
  while (!bytes.empty()) {
    ERR_clear_error();
    std::size_t taken = 0;
    if (SSL_write_ex(parts_->session, bytes.data(), bytes.size(), &taken) != 1) {
      reason_ = describe();
      return io::broken;
    }
    bytes.remove_prefix(taken);
  }
  collect();
  return io::ok;
}

void tls_session::arrived(std::string_view bytes) {
  while (!bytes.empty()) {
    const auto part = std::min<std::size_t>(bytes.size(), std::numeric_limits<int>::max());
    BIO_write(parts_->incoming, bytes.data(), static_cast<int>(part));
    bytes.remove_prefix(part);
  }
}

io tls_session::decrypt(char* to, std::size_t size, std::size_t& got) {
  ERR_clear_error();
  const int done = SSL_read_ex(parts_->session, to, size, &got);
  const int why = done == 1 ? SSL_ERROR_NONE : SSL_get_error(parts_->session, done);
  if (why != SSL_ERROR_NONE && why != SSL_ERROR_WANT_READ && why != SSL_ERROR_ZERO_RETURN) reason_ = describe();
  collect();
  switch (why) {
    case SSL_ERROR_NONE:
      return io::ok;
    case SSL_ERROR_WANT_READ:
      return io::blocked;
    case SSL_ERROR_ZERO_RETURN:
      return io::ended;
    default:
      return io::broken;
  }
}

}  // namespace gantry::call
