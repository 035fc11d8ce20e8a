// Three plugins' manifests for the tests of this room: order calls catalog and commands inventory.
#pragma once

#include <fstream>
#include <iterator>
#include <string>

#include "topology/validate.hpp"

namespace gantry::topology {

inline manifest_map sample_manifests() {
  loader::manifest catalog;
  catalog.id = "catalog";
  catalog.routes = {{"GET", "/catalog/products/{id}", false}};

  loader::manifest inventory;
  inventory.id = "inventory";
  inventory.routes = {{"GET", "/inventory/{sku}", false}};
  inventory.consumes = {{"inventory-commands", "ReserveInventory", 1, 1, "event", "earliest"}};
  inventory.emits = {{"inventory-events", "InventoryReserved", 1, ""}};

  loader::manifest order;
  order.id = "order";
  order.routes = {{"GET", "/orders/{id}", false}, {"POST", "/orders", true}};
  order.consumes = {{"inventory-events", "InventoryReserved", 1, 1, "event", "earliest"}};
  order.emits = {{"inventory-commands", "ReserveInventory", 1, ""}, {"order-events", "OrderCreated", 1, ""}};
  order.calls = {"catalog"};
  order.config_schema = R"({
    "type": "object",
    "additionalProperties": false,
    "properties": {
      "reservation_timeout": {"type": "string", "pattern": "^[0-9]+(ms|s|m|h)$", "default": "15m"},
      "attempts": {"type": "integer", "minimum": 1, "maximum": 10, "default": 3},
      "saga": {"enum": ["orchestration", "choreography"]},
      "token": {"type": "string", "minLength": 20},
      "carriers": {"type": "array", "items": {"type": "object", "required": ["zone"],
                                              "properties": {"name": {"type": "string"}}}}
    }
  })";
  return {{"catalog", catalog}, {"inventory", inventory}, {"order", order}};
}

// The manifests of those plugins that the topology has.
inline manifest_map of_topology(manifest_map manifests, const topology& model) {
  std::erase_if(manifests, [&model](const auto& entry) { return !model.plugins.contains(entry.first); });
  return manifests;
}

using strings = std::vector<std::string>;

inline bool mentions(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

inline std::string file_text(const std::string& path) {
  std::ifstream stream(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()};
}

inline std::optional<std::string> no_env(const std::string&) { return std::nullopt; }

}  // namespace gantry::topology
