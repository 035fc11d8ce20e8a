// What SQLite's result codes mean to a plugin and to the runtime.
// Thread: any.
#pragma once

#include <string>
#include <string_view>

#include "base/result.hpp"
#include "gantry/abi/types.h"

namespace gantry::store::sqlite {

// The status of a statement that failed with this extended result code.
gantry_status status_of(int extended_code) noexcept;

// The status of a COMMIT that failed with it. FAILED: whether the transaction is in the file is unknown.
gantry_status commit_status_of(int extended_code) noexcept;

// The operating system refused to make bytes durable. Nothing that was written since the last sync can be trusted,
// and asking again may falsely succeed.
bool is_sync_failure(int extended_code) noexcept;

errc errc_of(gantry_status status) noexcept;

// SQL as error texts show it: one line, cut to a readable length.
std::string excerpt(std::string_view sql);

}  // namespace gantry::store::sqlite
