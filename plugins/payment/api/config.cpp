#include "api/config.hpp"

#include <charconv>
#include <optional>
#include <stdexcept>

#include "gantry/failure.hpp"
#include "provider/http_provider.hpp"
#include "provider/simulator.hpp"

namespace shop::payment {

const std::string_view config_schema = R"json({
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "type": "object",
  "additionalProperties": false,
  "properties": {
    "provider": {"type": "string", "enum": ["simulator", "http"], "default": "simulator"},
    "simulator": {
      "type": "object",
      "additionalProperties": false,
      "properties": {
        "approve_ratio": {"type": "number", "minimum": 0, "maximum": 1, "default": 1},
        "delay": {"type": "string", "pattern": "^[0-9]+(us|ms|s|m|h|d)$", "default": "0s"},
        "slow_delay": {"type": "string", "pattern": "^[0-9]+(us|ms|s|m|h|d)$", "default": "2s"},
        "duplicate_gap": {"type": "string", "pattern": "^[0-9]+(us|ms|s|m|h|d)$", "default": "50ms"}
      }
    },
    "http": {
      "type": "object",
      "additionalProperties": false,
      "required": ["url"],
      "properties": {
        "url": {"type": "string", "pattern": "^https?://"},
        "api_key": {"type": "string"},
        "timeout": {"type": "string", "pattern": "^[0-9]+(us|ms|s|m|h|d)$", "default": "10s"}
      }
    },
    "webhooks": {
      "type": "object",
      "additionalProperties": false,
      "properties": {
        "secrets": {"type": "object"},
        "window": {"type": "string", "pattern": "^[0-9]+(us|ms|s|m|h|d)$", "default": "5m"}
      }
    }
  }
})json";

namespace {

std::optional<std::chrono::microseconds> parse_duration(std::string_view text) {
  std::int64_t count = 0;
  const char* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, count);
  if (error != std::errc{} || count < 0) return std::nullopt;
  const std::string_view unit(rest, static_cast<std::size_t>(end - rest));
  std::int64_t us = 0;
  if (unit == "us") us = 1;
  if (unit == "ms") us = 1'000;
  if (unit == "s") us = 1'000'000;
  if (unit == "m") us = 60'000'000;
  if (unit == "h") us = 3'600'000'000;
  if (unit == "d") us = 86'400'000'000;
  std::int64_t total = 0;
  if (us == 0 || __builtin_mul_overflow(count, us, &total)) return std::nullopt;
  return std::chrono::microseconds(total);
}

void read_duration(gantry::json_view from, std::string_view name, std::chrono::microseconds& into) {
  const gantry::json_view value = from[name];
  if (!value) return;
  const auto duration = parse_duration(value.text());
  if (!duration) {
    throw gantry::failure(GANTRY_INVALID, "config: " + std::string(name) + " is " + std::string(value.raw()) +
                                              ", expected a duration such as \"30s\"");
  }
  into = *duration;
}

std::unique_ptr<provider> make_http(gantry::json_view config) {
  http_settings settings;
  try {
    settings.base = parse_base(config["url"].text());
  } catch (const std::invalid_argument& refused) {
    throw gantry::failure(GANTRY_INVALID, std::string("config: http.url: ") + refused.what());
  }
  settings.api_key = config["api_key"].text();
  read_duration(config, "timeout", settings.timeout);
  return std::make_unique<http_provider>(std::move(settings));
}

}  // namespace

webhook_settings read_webhooks(gantry::json_view config) {
  webhook_settings settings;
  for (const auto& [name, secret] : config["webhooks"]["secrets"].members()) {
    if (secret.text().size() < 16) {
      throw gantry::failure(GANTRY_INVALID,
                            "config: the webhook secret of " + std::string(name) + " needs 16 bytes or more");
    }
    settings.secrets.emplace(name, secret.text());
  }
  read_duration(config["webhooks"], "window", settings.window);
  return settings;
}

std::unique_ptr<provider> make_provider(gantry::json_view config) {
  if (config["provider"].text() == "http") return make_http(config["http"]);
  simulator_settings settings;
  const gantry::json_view from = config["simulator"];
  settings.approve_ratio = from["approve_ratio"].number(1.0);
  read_duration(from, "delay", settings.delay);
  read_duration(from, "slow_delay", settings.slow_delay);
  read_duration(from, "duplicate_gap", settings.duplicate_gap);
  return std::make_unique<simulator>(settings);
}

}  // namespace shop::payment
