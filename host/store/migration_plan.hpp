// Which migrations are due, apart from running them, which is the driver's.
// Thread: any.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "store/store.hpp"

namespace gantry::store {

// A row of gantry_migrations.
struct recorded_step {
  std::uint32_t number = 0;
  std::string sha256;
};

// As error texts name a step.
std::string title_of(std::uint32_t number, std::string_view name);

// The variant of each number that `driver` runs, in order. invalid: a gap, two variants alike, or none for this driver.
result<std::vector<const migration*>> choose_variants(std::span<const migration> steps, std::string_view driver);

// How many of the chosen steps are recorded already. invalid: the record differs, or is newer than the plugin,
// unless `ahead` allows that.
result<std::size_t> count_applied(std::span<const recorded_step> recorded, std::span<const migration* const> chosen,
                                  bool ahead = false);

// Up to which of the chosen steps the rules let a run go, from `applied` on.
std::size_t last_due(std::span<const migration* const> chosen, std::size_t applied,
                     const migration_rules& rules) noexcept;

}  // namespace gantry::store
