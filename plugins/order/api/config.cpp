#include "api/config.hpp"

#include "gantry/plugin.hpp"

namespace shop::order {

const std::string_view config_schema = R"json({
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "type": "object",
  "additionalProperties": false,
  "properties": {
    "timeouts": {
      "type": "object",
      "additionalProperties": false,
      "properties": {
        "reserve": {"type": "string", "pattern": "^[0-9]+(us|ms|s|m|h|d)$", "default": "30s"},
        "pay": {"type": "string", "pattern": "^[0-9]+(us|ms|s|m|h|d)$", "default": "60s"},
        "ship": {"type": "string", "pattern": "^[0-9]+(us|ms|s|m|h|d)$", "default": "60s"},
        "commit": {"type": "string", "pattern": "^[0-9]+(us|ms|s|m|h|d)$", "default": "30s"},
        "compensation": {"type": "string", "pattern": "^[0-9]+(us|ms|s|m|h|d)$", "default": "30s"}
      }
    },
    "compensation_attempts": {"type": "integer", "minimum": 1, "maximum": 1000, "default": 5},
    "completion_delay": {"type": "string", "pattern": "^[0-9]+(us|ms|s|m|h|d)$", "default": "0s"},
    "shipping_fee": {"type": "integer", "minimum": 0, "default": 0},
    "vouchers": {
      "type": "array",
      "items": {
        "type": "object",
        "additionalProperties": false,
        "required": ["code"],
        "properties": {
          "code": {"type": "string", "pattern": "^.{1,64}$"},
          "percentOff": {"type": "integer", "minimum": 1, "maximum": 100},
          "amountOff": {"type": "integer", "minimum": 1},
          "currency": {"type": "string", "pattern": "^[A-Z]{3}$"},
          "validUntil": {"type": "string"}
        }
      }
    }
  }
})json";

namespace {

[[noreturn]] void refuse(const std::string& text) { throw gantry::failure(GANTRY_INVALID, "config: " + text); }

void read_duration(gantry::json_view from, std::string_view name, std::chrono::microseconds& into, bool positive) {
  const gantry::json_view value = from[name];
  if (!value) return;
  const auto duration = parse_duration(value.text());
  if (!duration || (positive && duration->count() == 0)) {
    refuse(std::string(name) + " is " + std::string(value.raw()) + ", expected a duration such as \"30s\"");
  }
  into = *duration;
}

voucher read_voucher(gantry::json_view from) {
  voucher v;
  v.code = from["code"].text();
  v.percent_off = from["percentOff"].integer();
  v.amount_off = from["amountOff"].integer();
  v.currency = from["currency"].text();
  if ((v.percent_off > 0) == (v.amount_off > 0)) {
    refuse("voucher " + v.code + " needs exactly one of percentOff and amountOff");
  }
  if (const gantry::json_view until = from["validUntil"]; until) {
    const auto at = gantry::instant::parse(until.text());
    if (!at) refuse("validUntil of voucher " + v.code + " is no RFC 3339 time: " + std::string(until.raw()));
    v.valid_until_us = at->us;
  }
  return v;
}

}  // namespace

settings read_settings(gantry::json_view config) {
  settings s;
  const gantry::json_view timeouts = config["timeouts"];
  read_duration(timeouts, "reserve", s.reserve_timeout, true);
  read_duration(timeouts, "pay", s.pay_timeout, true);
  read_duration(timeouts, "ship", s.ship_timeout, true);
  read_duration(timeouts, "commit", s.commit_timeout, true);
  read_duration(timeouts, "compensation", s.compensation_timeout, true);
  read_duration(config, "completion_delay", s.completion_delay, false);
  s.compensation_attempts = static_cast<std::uint32_t>(config["compensation_attempts"].integer(5));
  s.shipping_fee = config["shipping_fee"].integer();
  for (const gantry::json_view entry : config["vouchers"]) s.vouchers.push_back(read_voucher(entry));
  return s;
}

}  // namespace shop::order
