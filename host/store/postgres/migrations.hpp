// Brings a schema up to date. Which steps are due is decided apart from running them.
// Thread: one at a time.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "store/postgres/connection.hpp"
#include "store/store.hpp"

namespace gantry::store::postgres {

struct recorded_step {
  std::uint32_t number = 0;
  std::string sha256;
};

// The variant of each number that this driver runs, in order. invalid: a gap, two variants alike, or none for it.
result<std::vector<const migration*>> choose_variants(std::span<const migration> steps);

// How many of the chosen steps are recorded already. invalid: the record differs, or is newer than the plugin.
result<std::size_t> count_applied(std::span<const recorded_step> recorded, std::span<const migration* const> chosen);

// Runs what is due on a connection without a pipeline, one host at a time: others wait, and then find it done.
result<migration_report> run_migrations(connection& on, std::span<const migration> steps);

// Makes the schema if it is missing, and the driver's own table.
result<void> prepare_schema(connection& on, const std::string& schema);

}  // namespace gantry::store::postgres
