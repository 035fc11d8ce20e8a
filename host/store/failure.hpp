// How drivers speak of a failure.
// Thread: any.
#pragma once

#include <string>
#include <string_view>

#include "base/result.hpp"
#include "gantry/abi/types.h"

namespace gantry::store {

struct failure_text {
  gantry_status status = GANTRY_OK;
  std::string text;
};

errc errc_of(gantry_status status) noexcept;

// SQL as error texts show it: one line, cut to a readable length.
std::string excerpt(std::string_view sql);

}  // namespace gantry::store
