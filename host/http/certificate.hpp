// What people and programs want to know of a certificate.
// Pure functions; thread: any.
#pragma once

#include <openssl/types.h>

#include <cstdint>
#include <string>

namespace gantry::http {

// The first DNS name; without one the common name; empty when there is neither. A name that holds anything but visible
// characters (a zero in its middle, say, behind which another name begins) counts as none.
std::string identity_of(const X509* certificate);

// "/O=Shop/CN=order": subject and issuer in one line.
std::string subject_of(const X509* certificate);
std::string issuer_of(const X509* certificate);

// Seconds since 1970.
std::int64_t valid_from(const X509* certificate);
std::int64_t valid_until(const X509* certificate);

// "2026-11-21 10:00:00Z"
std::string shown_time(std::int64_t unix_seconds);

// What OpenSSL objects to, by the oldest error of this thread.
std::string tls_reason();

}  // namespace gantry::http
