// Brings a schema up to date.
// Thread: one at a time.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "store/postgres/connection.hpp"
#include "store/store.hpp"

namespace gantry::store::postgres {

// Runs what is due on a connection without a pipeline, one host at a time: others wait, and then find it done.
result<migration_report> run_migrations(connection& on, std::span<const migration> steps, const migration_rules& rules);

// Makes the schema if it is missing, and the driver's own table.
result<void> prepare_schema(connection& on, const std::string& schema);

}  // namespace gantry::store::postgres
