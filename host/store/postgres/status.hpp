// What PostgreSQL's SQLSTATE codes mean to a plugin and to the runtime.
// Thread: any.
#pragma once

#include <string>
#include <string_view>

#include "base/result.hpp"
#include "gantry/abi/types.h"

namespace gantry::store::postgres {

struct failure_text {
  gantry_status status = GANTRY_OK;
  std::string text;
};

// The status of a statement that failed with this SQLSTATE.
gantry_status status_of(std::string_view sqlstate) noexcept;

// The server says this and then hangs up.
bool ends_connection(std::string_view sqlstate) noexcept;

errc errc_of(gantry_status status) noexcept;

// SQL as error texts show it: one line, cut to a readable length.
std::string excerpt(std::string_view sql);

}  // namespace gantry::store::postgres
