// The JSON Schemas of what this plugin emits.
#pragma once

#include <string_view>

namespace shipping::schemas {

inline constexpr std::string_view topic = "shipping-events";

inline constexpr std::string_view shipment_created = R"json({
  "type": "object", "required": ["shipmentId", "orderId", "customerId", "carrier", "trackingNumber"],
  "properties": {"shipmentId": {"type": "string"}, "orderId": {"type": "string"}, "customerId": {"type": "string"},
    "carrier": {"type": "string"}, "trackingNumber": {"type": "string"}}
})json";

inline constexpr std::string_view shipment_dispatched = shipment_created;

inline constexpr std::string_view shipment_failed = R"json({
  "type": "object", "required": ["orderId", "reason"],
  "properties": {"orderId": {"type": "string"}, "reason": {"type": "string"}}
})json";

inline constexpr std::string_view shipment_cancelled = R"json({
  "type": "object", "required": ["orderId", "shipmentId"],
  "properties": {"orderId": {"type": "string"}, "shipmentId": {"type": "string"}}
})json";

inline constexpr std::string_view tracking_updated = R"json({
  "type": "object", "required": ["shipmentId", "orderId", "status", "location", "at"],
  "properties": {"shipmentId": {"type": "string"}, "orderId": {"type": "string"}, "status": {"type": "string"},
    "location": {"type": "string"}, "at": {"type": "string"}}
})json";

inline constexpr std::string_view shipment_delivered = R"json({
  "type": "object", "required": ["shipmentId", "orderId", "customerId", "deliveredAt"],
  "properties": {"shipmentId": {"type": "string"}, "orderId": {"type": "string"}, "customerId": {"type": "string"},
    "deliveredAt": {"type": "string"}}
})json";

}  // namespace shipping::schemas
