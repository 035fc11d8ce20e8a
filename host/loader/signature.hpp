// Detached signatures in the format of minisign: <file>.minisig, made by its users with `minisign -S`.
// libsodium does the arithmetic. Thread: any.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "loader/file_image.hpp"

namespace gantry::loader {

struct public_key {
  std::array<unsigned char, 8> id{};
  std::array<unsigned char, 32> key{};
};

// Reads the base64 line of a public key, alone or below its `untrusted comment:` line. invalid otherwise.
result<public_key> parse_public_key(std::string_view text);

// As minisign prints it: 16 hexadecimal digits.
std::string key_id_text(const std::array<unsigned char, 8>& id);

struct trust_policy {
  bool required = false;  // a file without a valid signature is refused
  std::vector<public_key> keys;
};

// Reads the keys of a topology's trust section. invalid names the first that is none.
result<trust_policy> make_trust(bool required, const std::vector<std::string>& keys);

enum class signature_state {
  none,         // there is no .minisig
  valid,        // made with a trusted key, for exactly these bytes
  unknown_key,  // made with a key that is not trusted; says nothing about the bytes
  altered,      // a trusted key's signature of other bytes, or with another trusted comment
  malformed,    // the .minisig is not one
};

std::string_view name_of(signature_state state) noexcept;

struct signature_report {
  signature_state state = signature_state::none;
  std::string key_id;           // of the signature, empty when there is none
  std::string trusted_comment;  // only when valid
  std::string text;             // one sentence for people, beginning with the file's name
};

// Checks the text of a .minisig against the image: Ed25519 over the bytes (`Ed`) or over their BLAKE2b-512 (`ED`), then
// the trusted comment.
signature_report check_signature(const file_image& image, std::string_view minisig,
                                 const std::vector<public_key>& keys);

// The same with the file that stands beside the image's.
signature_report check_signature_file(const file_image& image, const std::vector<public_key>& keys);

// Whether the policy lets a file with this signature in. Altered and malformed ones never, others unless it requires a
// valid one. invalid: the text says why and what to do.
result<void> admit(const signature_report& report, const trust_policy& policy);

}  // namespace gantry::loader
