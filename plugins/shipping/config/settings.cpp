#include "config/settings.hpp"

#include <algorithm>
#include <memory>
#include <set>
#include <utility>

namespace shipping {

const std::string_view settings_schema = R"json({
  "type": "object",
  "additionalProperties": false,
  "properties": {
    "currency": {"type": "string", "pattern": "^[A-Z]{3}$", "default": "EUR"},
    "default_item_grams": {"type": "integer", "minimum": 1, "maximum": 1000000, "default": 500},
    "webhook_window_seconds": {"type": "integer", "minimum": 1, "maximum": 86400, "default": 300},
    "webhook_memory_days": {"type": "integer", "minimum": 1, "maximum": 365, "default": 7},
    "unservable_countries": {"type": "array", "items": {"type": "string", "pattern": "^[A-Z]{2}$"}, "default": []},
    "zones": {
      "type": "array",
      "items": {
        "type": "object",
        "additionalProperties": false,
        "required": ["name", "countries"],
        "properties": {
          "name": {"type": "string"},
          "countries": {"type": "array", "items": {"type": "string", "pattern": "^([A-Z]{2}|[*])$"}}
        }
      }
    },
    "carriers": {
      "type": "array",
      "items": {
        "type": "object",
        "additionalProperties": false,
        "required": ["id", "rates"],
        "properties": {
          "id": {"type": "string", "pattern": "^[a-z0-9-]{1,32}$"},
          "name": {"type": "string"},
          "service": {"type": "string"},
          "webhook_secret": {"type": "string"},
          "min_days": {"type": "integer", "minimum": 0},
          "max_days": {"type": "integer", "minimum": 0},
          "rates": {
            "type": "array",
            "items": {
              "type": "object",
              "additionalProperties": false,
              "required": ["zone", "up_to_grams", "amount"],
              "properties": {
                "zone": {"type": "string"},
                "up_to_grams": {"type": "integer", "minimum": 1},
                "amount": {"type": "integer", "minimum": 0}
              }
            }
          }
        }
      }
    }
  }
})json";

namespace {

// A shop that configures nothing ships from Germany at these rates. The heaviest step takes the largest order that the
// shop accepts: 100 lines of 1,000 pieces.
constexpr std::string_view built_in = R"json({
  "zones": [
    {"name": "domestic", "countries": ["DE"]},
    {"name": "europe", "countries": ["AT","BE","BG","CH","CY","CZ","DK","EE","ES","FI","FR","GB","GR","HR","HU","IE",
      "IS","IT","LI","LT","LU","LV","MT","NL","NO","PL","PT","RO","SE","SI","SK"]},
    {"name": "world", "countries": ["*"]}
  ],
  "carriers": [
    {"id": "parcel", "name": "Parcel Post", "service": "standard", "min_days": 2, "max_days": 4, "rates": [
      {"zone": "domestic", "up_to_grams": 2000, "amount": 490},
      {"zone": "domestic", "up_to_grams": 31500, "amount": 990},
      {"zone": "europe", "up_to_grams": 2000, "amount": 990},
      {"zone": "europe", "up_to_grams": 31500, "amount": 1990},
      {"zone": "world", "up_to_grams": 2000, "amount": 1990},
      {"zone": "world", "up_to_grams": 20000, "amount": 4990}]},
    {"id": "express", "name": "Night Express", "service": "express", "min_days": 1, "max_days": 2, "rates": [
      {"zone": "domestic", "up_to_grams": 5000, "amount": 1490},
      {"zone": "domestic", "up_to_grams": 70000, "amount": 3490},
      {"zone": "europe", "up_to_grams": 5000, "amount": 2990},
      {"zone": "europe", "up_to_grams": 70000, "amount": 7990},
      {"zone": "world", "up_to_grams": 5000, "amount": 5990},
      {"zone": "world", "up_to_grams": 70000, "amount": 15990}]},
    {"id": "freight", "name": "Freight Line", "service": "pallet", "min_days": 4, "max_days": 12, "rates": [
      {"zone": "domestic", "up_to_grams": 100000000000, "amount": 8900},
      {"zone": "europe", "up_to_grams": 100000000000, "amount": 18900},
      {"zone": "world", "up_to_grams": 100000000000, "amount": 49900}]}
  ]
})json";

[[noreturn]] void refuse(const std::string& text) { throw gantry::failure(GANTRY_INVALID, "shipping config: " + text); }

std::vector<std::string> texts_of(gantry::json_view list) {
  std::vector<std::string> out;
  for (const gantry::json_view& entry : list) out.emplace_back(entry.text());
  return out;
}

std::vector<zone> read_zones(gantry::json_view list) {
  std::vector<zone> out;
  for (const gantry::json_view& entry : list) {
    out.push_back({std::string(entry["name"].text()), texts_of(entry["countries"])});
  }
  return out;
}

carrier_terms read_carrier(gantry::json_view from) {
  carrier_terms out;
  out.id = from["id"].text();
  out.name = from["name"].text_or(out.id);
  out.service = from["service"].text_or("standard");
  out.webhook_secret = from["webhook_secret"].text();
  out.min_days = from["min_days"].integer(1);
  out.max_days = std::max(out.min_days, from["max_days"].integer(3));
  for (const gantry::json_view& entry : from["rates"]) {
    out.rates.push_back({std::string(entry["zone"].text()), entry["up_to_grams"].integer(), entry["amount"].integer()});
  }
  return out;
}

void check(const settings& given) {
  std::set<std::string_view> ids;
  for (const carrier_terms& carrier : given.carriers) {
    if (!ids.insert(carrier.id).second) refuse("carrier " + carrier.id + " is there twice; ids must differ");
    for (const rate& entry : carrier.rates) {
      if (std::ranges::find(given.zones, entry.zone, &zone::name) == given.zones.end()) {
        refuse("carrier " + carrier.id + " has a rate for zone \"" + entry.zone + "\", which is not in zones");
      }
    }
  }
}

}  // namespace

settings read_settings(gantry::json_view config) {
  const auto fallback = gantry::json_document::parse(built_in);
  const auto or_built_in = [&](std::string_view name) {
    const gantry::json_view given = config[name];
    return given.is_array() ? given : fallback.root()[name];
  };
  settings out;
  out.currency = config["currency"].text_or(out.currency);
  out.default_item_grams = config["default_item_grams"].integer(out.default_item_grams);
  out.webhook_window_seconds = config["webhook_window_seconds"].integer(out.webhook_window_seconds);
  out.webhook_memory_days = config["webhook_memory_days"].integer(out.webhook_memory_days);
  out.unservable_countries = texts_of(config["unservable_countries"]);
  out.zones = read_zones(or_built_in("zones"));
  for (const gantry::json_view& entry : or_built_in("carriers")) out.carriers.push_back(read_carrier(entry));
  check(out);
  return out;
}

carrier_network network_of(const settings& from) {
  std::vector<std::unique_ptr<carrier>> carriers;
  for (const carrier_terms& terms : from.carriers) carriers.push_back(std::make_unique<simulated_carrier>(terms));
  return {from.zones, from.unservable_countries, std::move(carriers)};
}

}  // namespace shipping
