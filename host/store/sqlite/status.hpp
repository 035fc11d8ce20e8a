// What SQLite's result codes mean to a plugin and to the runtime.
// Thread: any.
#pragma once

#include "gantry/abi/types.h"
#include "store/failure.hpp"

namespace gantry::store::sqlite {

// The status of a statement that failed with this extended result code.
gantry_status status_of(int extended_code) noexcept;

// The status of a COMMIT that failed with it. FAILED: whether the transaction is in the file is unknown.
gantry_status commit_status_of(int extended_code) noexcept;

// The operating system refused to make bytes durable. Nothing that was written since the last sync can be trusted,
// and asking again may falsely succeed.
bool is_sync_failure(int extended_code) noexcept;

}  // namespace gantry::store::sqlite
