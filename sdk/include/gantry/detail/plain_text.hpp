// Where a text holds its first character that JSON writes or reads in a special way. Pure. Thread: any.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace gantry::detail {

// '"', '\\' and the control characters below 0x20: RFC 8259, section 7.
constexpr bool is_special_in_json(unsigned char c) noexcept { return c < 0x20 || c == '"' || c == '\\'; }

inline constexpr std::uint64_t tops_of_bytes = 0x8080808080808080U;

// Eight bytes of a text as they lie in memory.
inline std::uint64_t word_at(const char* from) noexcept {
  std::uint64_t word = 0;
  std::memcpy(&word, from, sizeof word);
  return word;
}

// The top bit of each byte of a word that is special; bytes above the first such byte may be marked too.
constexpr std::uint64_t specials_in(std::uint64_t word) noexcept {
  constexpr std::uint64_t ones = 0x0101010101010101U;
  const std::uint64_t quotes = word ^ (ones * '"');
  const std::uint64_t slashes = word ^ (ones * '\\');
  return (((word - ones * 0x20) & ~word) | ((quotes - ones) & ~quotes) | ((slashes - ones) & ~slashes)) & tops_of_bytes;
}

// The number of bytes before the first special one; all of them if there is none.
inline std::size_t plain_length(std::string_view text) noexcept {
  const char* const begin = text.data();
  const std::size_t size = text.size();
  std::size_t at = 0;
  for (; size - at >= 8; at += 8) {
    const std::uint64_t found = specials_in(word_at(begin + at));
    if (found == 0) continue;
    if constexpr (std::endian::native == std::endian::little) {
      return at + static_cast<std::size_t>(std::countr_zero(found)) / 8;
    }
    while (!is_special_in_json(static_cast<unsigned char>(begin[at]))) ++at;
    return at;
  }
  // What is left is shorter than a word: the last word of the text, part of which is known to be plain.
  if (at < size && size >= 8 && specials_in(word_at(begin + size - 8)) == 0) return size;
  while (at < size && !is_special_in_json(static_cast<unsigned char>(begin[at]))) ++at;
  return at;
}

}  // namespace gantry::detail
