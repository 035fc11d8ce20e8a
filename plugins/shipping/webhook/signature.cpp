#include "webhook/signature.hpp"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <array>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <optional>

namespace shipping {
namespace {

std::string hmac_hex(std::string_view secret, std::string_view text) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned int size = 0;
  HMAC(EVP_sha256(), secret.data(), static_cast<int>(secret.size()),
       reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest.data(), &size);
  std::string out;
  for (unsigned int i = 0; i < size; ++i) {
    out += "0123456789abcdef"[digest[i] >> 4U];
    out += "0123456789abcdef"[digest[i] & 15U];
  }
  return out;
}

std::string signed_text(std::int64_t at, std::string_view body) {
  std::string out = std::to_string(at);
  out += '.';
  out += body;
  return out;
}

struct parts {
  std::int64_t at = 0;
  std::string_view hex;
};

std::optional<parts> split(std::string_view header) {
  if (!header.starts_with("t=")) return std::nullopt;
  header.remove_prefix(2);
  const std::size_t comma = header.find(",v1=");
  if (comma == std::string_view::npos) return std::nullopt;
  parts out;
  const char* end = header.data() + comma;
  const auto [stop, error] = std::from_chars(header.data(), end, out.at);
  if (error != std::errc() || stop != end) return std::nullopt;
  out.hex = header.substr(comma + 4);
  if (out.hex.size() != 64) return std::nullopt;
  return out;
}

}  // namespace

std::string_view to_text(signature_verdict verdict) {
  switch (verdict) {
    case signature_verdict::valid:
      return "the signature is valid";
    case signature_verdict::malformed:
      return "gantry-signature must be t=<unix seconds>,v1=<64 hexadecimal digits>";
    case signature_verdict::wrong:
      return "the signature does not match the body";
    case signature_verdict::stale:
      return "the signature was made outside the accepted window of time";
  }
  return "";
}

signature_verdict verify_signature(std::string_view header, std::string_view body, std::string_view secret,
                                   std::chrono::seconds now, std::chrono::seconds window) {
  const auto given = split(header);
  if (!given) return signature_verdict::malformed;
  const std::string expected = hmac_hex(secret, signed_text(given->at, body));
  if (CRYPTO_memcmp(expected.data(), given->hex.data(), expected.size()) != 0) return signature_verdict::wrong;
  // Compared this way round, because a signed time may be any 64-bit number.
  const std::int64_t latest = (now + window).count();
  const std::int64_t earliest = (now - window).count();
  if (given->at > latest || given->at < earliest) return signature_verdict::stale;
  return signature_verdict::valid;
}

std::string sign(std::string_view body, std::string_view secret, std::chrono::seconds now) {
  return "t=" + std::to_string(now.count()) + ",v1=" + hmac_hex(secret, signed_text(now.count(), body));
}

}  // namespace shipping
