// The plugin's configuration: its JSON Schema, and settings read from it. Thread: any.
#pragma once

#include <string_view>

#include "domain/settings.hpp"
#include "gantry/json.hpp"

namespace shop::order {

extern const std::string_view config_schema;

// Absent keys keep the defaults. Throws gantry::failure for what the schema can't say: a duration that is none, a
// voucher with both kinds of discount, a time that is none.
settings read_settings(gantry::json_view config);

}  // namespace shop::order
