// Why a connection could not be made, in words that say what to do.
// Thread: any.
#pragma once

#include <string>
#include <string_view>

#include "base/result.hpp"

namespace gantry::store::postgres {

// `place` is where it went; `words` is what libpq says with verbose errors, so that a server's answer has its SQLSTATE.
// `password` is taken out wherever it should stand.
error connect_failure(std::string_view place, std::string_view words, std::string_view password);

}  // namespace gantry::store::postgres
