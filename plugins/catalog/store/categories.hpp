// Categories in SQL. Owns the table categories.
// Every function runs inside the caller's transaction or snapshot.
#pragma once

#include <gantry/plugin.hpp>
#include <optional>
#include <string_view>
#include <vector>

#include "domain/categories.hpp"

namespace catalog {

std::vector<category> all_categories(gantry::db& db);
std::optional<category> find_category(gantry::db& db, std::string_view id);
// False when the id is taken.
bool insert_category(gantry::tx& tx, const category& c);
// Writes `c` as its next version, which is set in `c`.
void update_category(gantry::tx& tx, category& c);
void erase_category(gantry::tx& tx, std::string_view id);
// Whether categories or products hang on it.
bool is_in_use(gantry::db& db, std::string_view id);

}  // namespace catalog
