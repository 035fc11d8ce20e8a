// What PostgreSQL's SQLSTATE codes mean to a plugin and to the runtime.
// Thread: any.
#pragma once

#include <string_view>

#include "store/failure.hpp"

namespace gantry::store::postgres {

// The status of a statement that failed with this SQLSTATE.
gantry_status status_of(std::string_view sqlstate) noexcept;

// The server says this and then hangs up.
bool ends_connection(std::string_view sqlstate) noexcept;

// As gantry::store::errc_of, but that the server refuses what the topology asks of it: there a wrong setting, not a fault.
errc errc_of(gantry_status status) noexcept;

}  // namespace gantry::store::postgres
