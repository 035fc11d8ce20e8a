#include "http/certificate.hpp"

#include <openssl/asn1.h>
#include <openssl/err.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <array>
#include <ctime>
#include <memory>
#include <string_view>

namespace gantry::http {
namespace {

bool visible(std::string_view name) {
  return !name.empty() &&
         std::ranges::all_of(name, [](char c) { return static_cast<unsigned char>(c) > ' ' && c != 0x7f; });
}

std::string first_dns_name(const X509* certificate) {
  const std::unique_ptr<GENERAL_NAMES, decltype(&GENERAL_NAMES_free)> names(
      static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)),
      GENERAL_NAMES_free);
  for (int i = 0; i < sk_GENERAL_NAME_num(names.get()); ++i) {
    const auto* const one = sk_GENERAL_NAME_value(names.get(), i);
    if (one->type != GEN_DNS) continue;
    const std::string_view name(reinterpret_cast<const char*>(ASN1_STRING_get0_data(one->d.dNSName)),
                                static_cast<std::size_t>(ASN1_STRING_length(one->d.dNSName)));
    return visible(name) ? std::string(name) : std::string();
  }
  return {};
}

std::string common_name(const X509* certificate) {
  const auto* const subject = X509_get_subject_name(certificate);
  const int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
  if (at < 0) return {};
  unsigned char* text = nullptr;
  const int size = ASN1_STRING_to_UTF8(&text, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
  if (size < 0) return {};
  std::string name(reinterpret_cast<const char*>(text), static_cast<std::size_t>(size));
  OPENSSL_free(text);
  return visible(name) ? name : std::string();
}

std::string one_line(const X509_NAME* name) {
  std::array<char, 256> shown{};
  X509_NAME_oneline(name, shown.data(), static_cast<int>(shown.size()));
  return shown.data();
}

std::int64_t seconds(const ASN1_TIME* when) {
  std::tm parts{};
  if (ASN1_TIME_to_tm(when, &parts) != 1) return 0;
  return timegm(&parts);
}

}  // namespace

std::string identity_of(const X509* certificate) {
  auto name = first_dns_name(certificate);
  return name.empty() ? common_name(certificate) : name;
}

std::string subject_of(const X509* certificate) { return one_line(X509_get_subject_name(certificate)); }
std::string issuer_of(const X509* certificate) { return one_line(X509_get_issuer_name(certificate)); }

std::int64_t valid_from(const X509* certificate) { return seconds(X509_get0_notBefore(certificate)); }
std::int64_t valid_until(const X509* certificate) { return seconds(X509_get0_notAfter(certificate)); }

std::string shown_time(std::int64_t unix_seconds) {
  const std::time_t when = unix_seconds;
  std::tm parts{};
  gmtime_r(&when, &parts);
  std::array<char, 32> text{};
  return {text.data(), std::strftime(text.data(), text.size(), "%Y-%m-%d %H:%M:%SZ", &parts)};
}

std::string tls_reason() {
  const auto code = ERR_peek_error();
  if (code == 0) return "OpenSSL gives no reason";
  const auto* const words = ERR_reason_error_string(code);
  return words != nullptr ? words : "OpenSSL error " + std::to_string(code);
}

}  // namespace gantry::http
