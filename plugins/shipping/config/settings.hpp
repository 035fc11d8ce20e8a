// The plugin's configuration as values. Read once at start; never changes afterwards. Thread: any.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <gantry/json.hpp>

#include "domain/carrier.hpp"

namespace shipping {

// The JSON Schema of the configuration.
extern const std::string_view settings_schema;

struct settings {
  std::string currency = "EUR";
  std::int64_t default_item_grams = 500;
  std::int64_t webhook_window_seconds = 300;
  std::int64_t webhook_memory_days = 7;
  std::vector<std::string> unservable_countries;
  std::vector<zone> zones;
  std::vector<carrier_terms> carriers;
};

// Takes what is given and the built-in zones and carriers for what is not. Throws gantry::failure INVALID, naming the
// field, for what the schema can't say: a rate for a zone that does not exist, a carrier named twice.
settings read_settings(gantry::json_view config);

// The network that these settings describe.
carrier_network network_of(const settings& from);

}  // namespace shipping
