#include "loader/signature.hpp"

#include <sodium.h>

#include <algorithm>
#include <cstring>
#include <optional>

namespace gantry::loader {
namespace {

constexpr std::string_view untrusted_prefix = "untrusted comment:";
constexpr std::string_view trusted_prefix = "trusted comment: ";

using signature_bytes = std::array<unsigned char, crypto_sign_BYTES>;

struct parsed_signature {
  bool prehashed = false;
  std::array<unsigned char, 8> key_id{};
  signature_bytes of_bytes{};
  std::string trusted_comment;
  signature_bytes of_comment{};
};

// The next line, without its end.
std::string_view take_line(std::string_view& text) {
  const std::size_t end = text.find('\n');
  std::string_view line = text.substr(0, end);
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

template <std::size_t N>
bool from_base64(std::string_view text, std::array<unsigned char, N>& out) {
  std::size_t length = 0;
  const char* end = nullptr;
  return sodium_base642bin(out.data(), out.size(), text.data(), text.size(), nullptr, &length, &end,
                           sodium_base64_VARIANT_ORIGINAL) == 0 &&
         length == out.size() && end == text.data() + text.size();
}

std::optional<parsed_signature> parse_signature(std::string_view text) {
  if (!take_line(text).starts_with(untrusted_prefix)) return std::nullopt;
  std::array<unsigned char, 2 + 8 + crypto_sign_BYTES> blob{};
  if (!from_base64(take_line(text), blob)) return std::nullopt;
  const std::string_view comment = take_line(text);
  parsed_signature out;
  if (!comment.starts_with(trusted_prefix) || !from_base64(take_line(text), out.of_comment)) return std::nullopt;
  if (blob[0] != 'E' || (blob[1] != 'd' && blob[1] != 'D')) return std::nullopt;
  out.prehashed = blob[1] == 'D';
  std::copy_n(blob.begin() + 2, out.key_id.size(), out.key_id.begin());
  std::copy_n(blob.begin() + 10, out.of_bytes.size(), out.of_bytes.begin());
  out.trusted_comment = comment.substr(trusted_prefix.size());
  return out;
}

const unsigned char* bytes_of(std::string_view text) { return reinterpret_cast<const unsigned char*>(text.data()); }

bool signs_bytes(const parsed_signature& signature, std::string_view bytes, const public_key& key) {
  std::array<unsigned char, crypto_generichash_BYTES_MAX> hash{};
  if (signature.prehashed) {
    crypto_generichash(hash.data(), hash.size(), bytes_of(bytes), bytes.size(), nullptr, 0);
    bytes = {reinterpret_cast<const char*>(hash.data()), hash.size()};
  }
  return crypto_sign_verify_detached(signature.of_bytes.data(), bytes_of(bytes), bytes.size(), key.key.data()) == 0;
}

bool signs_comment(const parsed_signature& signature, const public_key& key) {
  std::string signed_text(reinterpret_cast<const char*>(signature.of_bytes.data()), signature.of_bytes.size());
  signed_text += signature.trusted_comment;
  return crypto_sign_verify_detached(signature.of_comment.data(), bytes_of(signed_text), signed_text.size(),
                                     key.key.data()) == 0;
}

}  // namespace

std::string_view name_of(signature_state state) noexcept {
  switch (state) {
    case signature_state::none:
      return "none";
    case signature_state::valid:
      return "valid";
    case signature_state::unknown_key:
      return "unknown key";
    case signature_state::altered:
      return "altered";
    case signature_state::malformed:
      return "malformed";
  }
  return "";
}

result<public_key> parse_public_key(std::string_view text) {
  std::string_view line = take_line(text);
  if (line.starts_with(untrusted_prefix)) line = take_line(text);
  std::array<unsigned char, 2 + 8 + crypto_sign_PUBLICKEYBYTES> blob{};
  if (!from_base64(line, blob) || blob[0] != 'E' || blob[1] != 'd') {
    return error{errc::invalid,
                 "found \"" + std::string(line.substr(0, 80)) +
                     "\", expected the base64 line of a minisign public key: 56 characters beginning with RW"};
  }
  public_key out;
  std::copy_n(blob.begin() + 2, out.id.size(), out.id.begin());
  std::copy_n(blob.begin() + 10, out.key.size(), out.key.begin());
  return out;
}

std::string key_id_text(const std::array<unsigned char, 8>& id) {
  static constexpr char digits[] = "0123456789ABCDEF";
  std::string out;
  // The id is a little-endian number.
  std::for_each(id.rbegin(), id.rend(), [&out](unsigned char byte) {
    out += digits[byte >> 4U];
    out += digits[byte & 0xFU];
  });
  return out;
}

result<trust_policy> make_trust(bool required, const std::vector<std::string>& keys) {
  trust_policy out{required, {}};
  for (const std::string& text : keys) {
    auto key = parse_public_key(text);
    if (!key) return error{errc::invalid, "trust.keys: " + key.failure().text};
    out.keys.push_back(*key);
  }
  return out;
}

signature_report check_signature(const file_image& image, std::string_view minisig,
                                 const std::vector<public_key>& keys) {
  if (sodium_init() < 0) return {signature_state::malformed, {}, {}, "libsodium can't be used on this machine"};
  const auto signature = parse_signature(minisig);
  if (!signature) {
    return {signature_state::malformed, {}, {}, image.name() + ".minisig: not a signature in minisign's format"};
  }
  const std::string id = key_id_text(signature->key_id);
  const auto key = std::ranges::find(keys, signature->key_id, &public_key::id);
  if (key == keys.end()) {
    return {signature_state::unknown_key, id, {}, image.name() + ": signed with key " + id + ", which is not trusted"};
  }
  if (!signs_bytes(*signature, image.bytes, *key)) {
    return {signature_state::altered,
            id,
            {},
            image.name() + ": its bytes are not those that key " + id + " signed: it was altered"};
  }
  if (!signs_comment(*signature, *key)) {
    return {signature_state::altered,
            id,
            {},
            image.name() + ".minisig: its trusted comment is not the one that key " + id + " signed: it was altered"};
  }
  return {signature_state::valid, id, signature->trusted_comment, image.name() + ": signed with key " + id};
}

signature_report check_signature_file(const file_image& image, const std::vector<public_key>& keys) {
  std::filesystem::path beside = image.path;
  beside += ".minisig";
  auto minisig = read_image(beside);
  if (!minisig && minisig.failure().code == errc::not_found) {
    return {
        signature_state::none, {}, {}, image.name() + ": not signed: " + beside.filename().string() + " is missing"};
  }
  if (!minisig) return {signature_state::malformed, {}, {}, minisig.failure().text};
  return check_signature(image, minisig->bytes, keys);
}

result<void> admit(const signature_report& report, const trust_policy& policy) {
  const auto refused = [&report](const std::string& advice) {
    return error{errc::invalid, report.text + ": " + advice};
  };
  switch (report.state) {
    case signature_state::valid:
      return {};
    case signature_state::altered:
      return refused("fetch the file and its signature again, or sign it");
    case signature_state::malformed:
      return refused("sign the file with minisign -S");
    case signature_state::none:
      if (!policy.required) return {};
      return refused("this topology requires signatures: sign it with minisign -S");
    case signature_state::unknown_key:
      if (!policy.required) return {};
      return refused("this topology requires signatures: sign it with a trusted key, or add that key to trust.keys");
  }
  return {};
}

}  // namespace gantry::loader
