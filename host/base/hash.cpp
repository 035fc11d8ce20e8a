#include "base/hash.hpp"

#include <array>
#include <cstddef>
#include <cstring>

#if defined(__x86_64__)
#include <nmmintrin.h>
#endif

namespace gantry {
namespace {

constexpr auto crc_table = [] {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t i = 0; i < 256; ++i) {
    std::uint32_t c = i;
    for (int k = 0; k < 8; ++k) c = (c & 1U) ? (c >> 1) ^ 0x82F6'3B78U : c >> 1;
    table[i] = c;
  }
  return table;
}();

std::uint32_t crc_portable(const unsigned char* at, std::size_t n, std::uint32_t crc) noexcept {
  for (; n != 0; --n) crc = (crc >> 8) ^ crc_table[(crc ^ *at++) & 0xFFU];
  return crc;
}

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) std::uint32_t crc_hardware(const unsigned char* at, std::size_t n,
                                                             std::uint32_t crc) noexcept {
  std::uint64_t wide = crc;
  for (; n >= 8; n -= 8, at += 8) {
    std::uint64_t word;
    std::memcpy(&word, at, 8);
    wide = _mm_crc32_u64(wide, word);
  }
  crc = static_cast<std::uint32_t>(wide);
  for (; n != 0; --n) crc = _mm_crc32_u8(crc, *at++);
  return crc;
}
#endif

}  // namespace

std::uint32_t crc32c(std::string_view bytes, std::uint32_t seed) noexcept {
  const auto* at = reinterpret_cast<const unsigned char*>(bytes.data());
#if defined(__x86_64__)
  static const bool hardware = __builtin_cpu_supports("sse4.2");
  if (hardware) return ~crc_hardware(at, bytes.size(), ~seed);
#endif
  return ~crc_portable(at, bytes.size(), ~seed);
}

std::uint32_t murmur2(std::string_view bytes) noexcept {
  constexpr std::uint32_t m = 0x5BD1'E995U;
  constexpr int r = 24;
  const auto* at = reinterpret_cast<const unsigned char*>(bytes.data());
  std::size_t n = bytes.size();
  std::uint32_t h = 0x9747'B28CU ^ static_cast<std::uint32_t>(n);
  for (; n >= 4; n -= 4, at += 4) {
    std::uint32_t k = static_cast<std::uint32_t>(at[0]) | static_cast<std::uint32_t>(at[1]) << 8 |
                      static_cast<std::uint32_t>(at[2]) << 16 | static_cast<std::uint32_t>(at[3]) << 24;
    k *= m;
    k ^= k >> r;
    k *= m;
    h = (h * m) ^ k;
  }
  if (n >= 3) h ^= static_cast<std::uint32_t>(at[2]) << 16;
  if (n >= 2) h ^= static_cast<std::uint32_t>(at[1]) << 8;
  if (n >= 1) {
    h ^= at[0];
    h *= m;
  }
  h ^= h >> 13;
  h *= m;
  h ^= h >> 15;
  return h;
}

}  // namespace gantry
