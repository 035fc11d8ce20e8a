// The plugin's configuration: its JSON Schema, and settings read from it. Thread: any.
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "gantry/json.hpp"
#include "provider/provider.hpp"

namespace shop::payment {

extern const std::string_view config_schema;

struct webhook_settings {
  std::map<std::string, std::string, std::less<>> secrets;     // by provider; one without a secret has no webhook
  std::chrono::microseconds window = std::chrono::minutes(5);  // how far a timestamp may be off
};

// Throw gantry::failure for what the schema can't say: a duration that is none, an address that is none.
webhook_settings read_webhooks(gantry::json_view config);
std::unique_ptr<provider> make_provider(gantry::json_view config);

}  // namespace shop::payment
