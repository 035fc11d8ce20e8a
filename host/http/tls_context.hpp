// Certificates, key and authorities of an endpoint, read from their files and checked against each other. OpenSSL shows
// only in tls_context.cpp, certificate.cpp and tls_stream.cpp.
// Shared by the connections that began with it. Thread: any; never changes.
#pragma once

#include <openssl/types.h>

#include <cstdint>
#include <memory>
#include <string>

#include "base/result.hpp"
#include "http/endpoint.hpp"

namespace gantry::http {

struct tls_context {
  std::shared_ptr<SSL_CTX> context;
  std::int64_t valid_until = 0;  // seconds since 1970; of this host's certificate
  std::string warning;           // what is unsafe, but works; empty: nothing
};

// io: a file that can't be read. invalid: one that is not PEM, a certificate that has expired or is not valid yet, a
// key that is encrypted or belongs to another certificate, authorities that have all expired. The text names the file.
result<tls_context> read_tls_context(const endpoint_tls& files);

}  // namespace gantry::http
