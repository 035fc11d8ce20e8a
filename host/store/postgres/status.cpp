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
  return status == GANTRY_REFUSED ? errc::invalid : store::errc_of(status);
}

}  // namespace gantry::store::postgres
