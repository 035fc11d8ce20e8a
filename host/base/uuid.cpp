#include "base/uuid.hpp"

#include "base/clock.hpp"

namespace gantry {
namespace {

// RFC 9562, section 6.2, method 1: a counter of 18 bits in rand_a and the top of rand_b.
constexpr std::uint32_t counter_limit = 1U << 18;

uuid_text format(std::uint64_t high, std::uint64_t low) noexcept {
  constexpr char digits[] = "0123456789abcdef";
  uuid_text out;
  std::size_t at = 0;
  for (int nibble = 0; nibble < 32; ++nibble) {
    if (nibble == 8 || nibble == 12 || nibble == 16 || nibble == 20) out[at++] = '-';
    const std::uint64_t word = nibble < 16 ? high : low;
    out[at++] = digits[(word >> (60 - 4 * (nibble % 16))) & 0xF];
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
  const std::uint64_t low = (std::uint64_t{0b10} << 62) | (std::uint64_t{counter_ & 0x3FU} << 56) |
                            (random_() & 0x00FF'FFFF'FFFF'FFFFULL);
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
