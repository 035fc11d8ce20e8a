#include "loader/file_image.hpp"

#include <sodium.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <string_view>

namespace gantry::loader {
namespace {

constexpr std::uintmax_t most_bytes = 1U << 30U;
// Of what does not begin like a library: enough to say what it is instead.
constexpr std::uintmax_t most_of_others = 4096;
constexpr std::string_view elf_magic =
    "\x7f"
    "ELF";

}  // namespace

result<file_image> read_image(const std::filesystem::path& path) {
  std::error_code code;
  const auto status = std::filesystem::status(path, code);
  if (!std::filesystem::exists(status)) return error{errc::not_found, path.string() + ": no such file"};
  if (!std::filesystem::is_regular_file(status)) return error{errc::io, path.string() + ": not a regular file"};
  std::uintmax_t size = std::filesystem::file_size(path, code);
  if (code) return error{errc::io, path.string() + ": " + code.message()};
  if (size > most_bytes) return error{errc::too_large, path.string() + ": more than 1 GiB"};
  errno = 0;
  std::ifstream stream(path, std::ios::binary);
  std::array<char, elf_magic.size()> begin{};
  if (size > most_of_others && stream.read(begin.data(), begin.size()) &&
      std::string_view(begin.data(), begin.size()) != elf_magic)
    size = most_of_others;
  stream.seekg(0);
  file_image image{path, std::string(static_cast<std::size_t>(size), '\0')};
  if (!stream.read(image.bytes.data(), static_cast<std::streamsize>(size)) && size > 0) {
    return error{errc::io, path.string() + ": " + (errno != 0 ? std::strerror(errno) : "it shrank while it was read")};
  }
  return image;
}

std::string digest_of(const file_image& image) {
  std::array<unsigned char, crypto_hash_sha256_BYTES> digest{};
  crypto_hash_sha256(digest.data(), reinterpret_cast<const unsigned char*>(image.bytes.data()), image.bytes.size());
  std::array<char, 2 * crypto_hash_sha256_BYTES + 1> text{};
  sodium_bin2hex(text.data(), text.size(), digest.data(), digest.size());
  return text.data();
}

}  // namespace gantry::loader
