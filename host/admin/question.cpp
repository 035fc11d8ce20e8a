#include "admin/question.hpp"

#include <charconv>
#include <cstdint>

namespace gantry::admin {

result<std::optional<std::chrono::milliseconds>> question::asked_ms(std::string_view name) const {
  const auto text = asked(name);
  if (text.empty()) return std::optional<std::chrono::milliseconds>();
  std::uint32_t ms = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), ms);
  if (code != std::errc{} || end != text.data() + text.size())
    return error{errc::invalid, std::string(name) + "=" + std::string(text) + ": expected milliseconds"};
  return std::optional(std::chrono::milliseconds(ms));
}

}  // namespace gantry::admin
