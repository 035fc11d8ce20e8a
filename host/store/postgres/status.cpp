#include "store/postgres/status.hpp"

namespace gantry::store::postgres {

gantry_status status_of(std::string_view sqlstate) noexcept {
  if (ends_connection(sqlstate)) return GANTRY_RETRY;
  if (sqlstate == "40001" || sqlstate == "40P01" || sqlstate == "55P03" || sqlstate == "57014") return GANTRY_RETRY;
  if (sqlstate == "25006" || sqlstate == "42501") return GANTRY_REFUSED;
  const auto group = sqlstate.substr(0, 2);
  if (group == "23") return GANTRY_CONFLICT;
  if (group == "40") return GANTRY_RETRY;
  if (group == "54") return GANTRY_TOO_LARGE;
  if (group == "22" || group == "42" || group == "21" || group == "0A" || group == "26" || group == "2F") {
    return GANTRY_INVALID;
  }
  if (group == "P0" || group == "38" || group == "39") return GANTRY_INVALID;  // raised by a function
  // A full disk, no memory, an I/O error or a fault of the server: this transaction is undone, the next may succeed.
  return GANTRY_UNAVAILABLE;
}

bool ends_connection(std::string_view sqlstate) noexcept {
  return sqlstate.substr(0, 2) == "08" || sqlstate.substr(0, 4) == "57P0" || sqlstate == "25P03";
}

errc errc_of(gantry_status status) noexcept {
  switch (status) {
    case GANTRY_INVALID:
    case GANTRY_REFUSED:
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

}  // namespace gantry::store::postgres
