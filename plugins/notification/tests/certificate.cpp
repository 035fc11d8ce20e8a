#include "certificate.hpp"

#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <memory>
#include <stdexcept>

namespace notification::testing {
namespace {

template <typename T, void (*Free)(T*)>
struct freed_by {
  void operator()(T* p) const { Free(p); }
};
using key_ptr = std::unique_ptr<EVP_PKEY, freed_by<EVP_PKEY, EVP_PKEY_free>>;
using cert_ptr = std::unique_ptr<X509, freed_by<X509, X509_free>>;

template <typename Write>
std::string pem(Write write) {
  BIO* memory = BIO_new(BIO_s_mem());
  write(memory);
  char* text = nullptr;
  const long size = BIO_get_mem_data(memory, &text);
  std::string out(text, static_cast<std::size_t>(size));
  BIO_free(memory);
  return out;
}

void add_extension(X509* to, int what, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, to, to, nullptr, nullptr, 0);
  X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, what, value.c_str());
  if (extension == nullptr) throw std::runtime_error("can't make the extension " + value);
  X509_add_ext(to, extension, -1);
  X509_EXTENSION_free(extension);
}

}  // namespace

certificate make_certificate(const std::string& host) {
  const key_ptr key(EVP_EC_gen("P-256"));
  const cert_ptr cert(X509_new());
  if (!key || !cert) throw std::runtime_error("can't make a key");
  X509_set_version(cert.get(), 2);
  ASN1_INTEGER_set(X509_get_serialNumber(cert.get()), 1);
  X509_gmtime_adj(X509_getm_notBefore(cert.get()), -1800);
  X509_gmtime_adj(X509_getm_notAfter(cert.get()), 1800);
  X509_set_pubkey(cert.get(), key.get());
  X509_NAME* name = X509_get_subject_name(cert.get());
  X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, reinterpret_cast<const unsigned char*>(host.c_str()), -1, -1, 0);
  X509_set_issuer_name(cert.get(), name);
  add_extension(cert.get(), NID_subject_alt_name, "DNS:" + host);
  add_extension(cert.get(), NID_basic_constraints, "critical,CA:TRUE");
  X509_sign(cert.get(), key.get(), EVP_sha256());
  return {pem([&](BIO* to) { PEM_write_bio_X509(to, cert.get()); }),
          pem([&](BIO* to) { PEM_write_bio_PrivateKey(to, key.get(), nullptr, nullptr, 0, nullptr, nullptr); })};
}

temporary_file::temporary_file(const std::string& content) : path_("/tmp/gantry-test-XXXXXX") {
  const int fd = ::mkstemp(path_.data());
  if (fd < 0) throw std::runtime_error("can't make a temporary file");
  ::close(fd);
  std::ofstream(path_) << content;
}

temporary_file::~temporary_file() { ::unlink(path_.c_str()); }

}  // namespace notification::testing
