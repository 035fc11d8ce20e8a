// Brings a schema up to date.
// Thread: one at a time.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "store/store.hpp"

namespace gantry::store::sqlite {

// Runs what is due on a session that may write.
result<migration_report> run_migrations(session& on, std::span<const migration> steps, std::string_view driver,
                                        const migration_rules& rules);

}  // namespace gantry::store::sqlite
