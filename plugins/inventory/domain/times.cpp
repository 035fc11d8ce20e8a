#include "domain/times.hpp"

#include <array>
#include <charconv>
#include <limits>

namespace inventory {
namespace {

struct unit {
  std::string_view name;
  std::int64_t us;
};
constexpr std::array<unit, 6> units = {
    {{"us", 1}, {"ms", 1'000}, {"s", 1'000'000}, {"m", 60'000'000}, {"h", 3'600'000'000}, {"d", 86'400'000'000}}};

constexpr bool is_hex(char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); }

}  // namespace

std::optional<std::int64_t> parse_duration(std::string_view text) {
  std::int64_t count = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
  if (error != std::errc{} || count < 0) return std::nullopt;
  const std::string_view name = text.substr(static_cast<std::size_t>(end - text.data()));
  for (const unit& each : units) {
    if (each.name != name) continue;
    if (count > std::numeric_limits<std::int64_t>::max() / each.us) return std::nullopt;
    return count * each.us;
  }
  return std::nullopt;
}

std::optional<std::int64_t> time_of_uuid7(std::string_view id) {
  if (id.size() != 36 || id[8] != '-' || id[13] != '-' || id[18] != '-' || id[23] != '-' || id[14] != '7') {
    return std::nullopt;
  }
  for (std::size_t i = 0; i < id.size(); ++i) {
    if (i != 8 && i != 13 && i != 18 && i != 23 && !is_hex(id[i])) return std::nullopt;
  }
  std::int64_t high = 0;
  std::int64_t low = 0;
  std::from_chars(id.data(), id.data() + 8, high, 16);
  std::from_chars(id.data() + 9, id.data() + 13, low, 16);
  return ((high << 16) | low) * 1'000;
}

std::string uuid7_floor(std::int64_t at_us) {
  static constexpr std::string_view digits = "0123456789abcdef";
  const auto ms = static_cast<std::uint64_t>(at_us < 0 ? 0 : at_us / 1'000);
  std::string text = "00000000-0000-7000-8000-000000000000";
  std::uint64_t rest = ms;
  for (std::size_t place = 13; place-- > 0;) {
    if (place == 8) continue;
    text[place] = digits[rest & 15U];
    rest >>= 4U;
  }
  return text;
}

}  // namespace inventory
