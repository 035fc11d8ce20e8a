#include "base/uuid.hpp"

#include <array>
#include <cstring>

#include "base/clock.hpp"

namespace gantry {
namespace {

// RFC 9562, section 6.2, method 1: a counter of 18 bits in rand_a and the top of rand_b.
constexpr std::uint32_t counter_limit = 1U << 18;

// The two hexadecimal digits of each byte.
constexpr auto hex_pairs = [] {
  constexpr char digits[] = "0123456789abcdef";
  std::array<char, 512> pairs{};
  for (std::size_t byte = 0; byte < 256; ++byte) {
    pairs[2 * byte] = digits[byte >> 4];
    pairs[2 * byte + 1] = digits[byte & 15];
  }
  return pairs;
}();

uuid_text format(std::uint64_t high, std::uint64_t low) noexcept {
  // Where each of the sixteen bytes begins; between them are the dashes.
  constexpr std::size_t places[16] = {0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34};
  uuid_text out;
  out[8] = out[13] = out[18] = out[23] = '-';
  for (std::size_t i = 0; i < 16; ++i) {
    const std::uint64_t word = i < 8 ? high : low;
    std::memcpy(out.data() + places[i], hex_pairs.data() + 2 * ((word >> (56 - 8 * (i % 8))) & 0xFF), 2);
  }
  return out;
}

}  // namespace

uuid_text uuid_generator::next(std::int64_t wall_us) noexcept {
  const auto now_ms = static_cast<std::uint64_t>(wall_us / 1000);
  if (now_ms > last_ms_) {
    last_ms_ = now_ms;
    counter_ = static_cast<std::uint32_t>(random_() & (counter_limit / 2 - 1));
  } else if (++counter_ == counter_limit) {
    ++last_ms_;
    counter_ = 0;
  }
  const std::uint64_t high = (last_ms_ << 16) | 0x7000U | (counter_ >> 6);
  const std::uint64_t low =
      (std::uint64_t{0b10} << 62) | (std::uint64_t{counter_ & 0x3FU} << 56) | (random_() & 0x00FF'FFFF'FFFF'FFFFULL);
  return format(high, low);
}

uuid_text new_uuid(std::int64_t wall_us) noexcept {
  thread_local uuid_generator generator([] {
    std::random_device entropy;
    return (std::uint64_t{entropy()} << 32) | entropy();
  }());
  return generator.next(wall_us);
}

std::string new_uuid_string() {
  const auto text = new_uuid(system_clock().wall_us());
  return {text.data(), text.size()};
}

}  // namespace gantry
