// Brings a schema up to date. Which steps are due is decided apart from running them.
// Thread: one at a time.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "store/store.hpp"

namespace gantry::store::sqlite {

struct recorded_step {
  std::uint32_t number = 0;
  std::string name;
  std::string sha256;
};

// The variant of each number that `driver` runs, in order. invalid: a gap, two variants alike, or none for this driver.
result<std::vector<const migration*>> choose_variants(std::span<const migration> steps, std::string_view driver);

// How many of the chosen steps are recorded already. invalid: the record differs, or is newer than the plugin.
result<std::size_t> count_applied(std::span<const recorded_step> recorded, std::span<const migration* const> chosen);

// Runs what is due on a session that may write.
result<migration_report> run_migrations(session& on, std::span<const migration> steps, std::string_view driver);

}  // namespace gantry::store::sqlite
