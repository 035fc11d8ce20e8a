#include "store/failure.hpp"

namespace gantry::store {

errc errc_of(gantry_status status) noexcept {
  switch (status) {
    case GANTRY_INVALID:
      return errc::invalid;
    case GANTRY_CONFLICT:
      return errc::conflict;
    case GANTRY_UNAVAILABLE:
    case GANTRY_RETRY:
      return errc::unavailable;
    case GANTRY_TOO_LARGE:
      return errc::too_large;
    case GANTRY_FAILED:
      return errc::io;
    default:
      return errc::internal;
  }
}

std::string excerpt(std::string_view sql) {
  constexpr std::size_t longest = 160;
  std::string text;
  text.reserve(longest + 3);
  bool blank = true;
  for (const char c : sql) {
    const bool is_blank = c == ' ' || c == '\n' || c == '\t' || c == '\r';
    if (is_blank && blank) continue;
    if (text.size() == longest) return text + "...";
    text.push_back(is_blank ? ' ' : c);
    blank = is_blank;
  }
  return text;
}

}  // namespace gantry::store
