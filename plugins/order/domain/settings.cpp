#include "domain/settings.hpp"

#include <charconv>
#include <system_error>

namespace shop::order {

std::optional<std::chrono::microseconds> parse_duration(std::string_view text) {
  std::int64_t count = 0;
  const char* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, count);
  if (error != std::errc{} || count < 0) return std::nullopt;
  const std::string_view unit(rest, static_cast<std::size_t>(end - rest));
  std::int64_t us = 0;
  if (unit == "us") us = 1;
  if (unit == "ms") us = 1'000;
  if (unit == "s") us = 1'000'000;
  if (unit == "m") us = 60'000'000;
  if (unit == "h") us = 3'600'000'000;
  if (unit == "d") us = 86'400'000'000;
  std::int64_t total = 0;
  if (us == 0 || __builtin_mul_overflow(count, us, &total)) return std::nullopt;
  return std::chrono::microseconds(total);
}

}  // namespace shop::order
