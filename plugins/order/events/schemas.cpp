#include "events/schemas.hpp"

namespace shop::order::schemas {

const std::string_view order_created = R"json({
  "type": "object",
  "required": ["orderId", "customerId", "lines", "subtotal", "shipping", "discount", "total", "currency",
               "shippingAddress", "createdAt"],
  "properties": {
    "orderId": {"type": "string"},
    "customerId": {"type": "string"},
    "lines": {"type": "array", "items": {
      "type": "object",
      "required": ["sku", "name", "quantity", "unitPrice", "lineTotal"],
      "properties": {
        "sku": {"type": "string"}, "name": {"type": "string"}, "quantity": {"type": "integer", "minimum": 1},
        "unitPrice": {"type": "integer"}, "lineTotal": {"type": "integer"}}}},
    "subtotal": {"type": "integer"},
    "shipping": {"type": "integer"},
    "discount": {"type": "integer"},
    "total": {"type": "integer"},
    "currency": {"type": "string", "pattern": "^[A-Z]{3}$"},
    "shippingAddress": {"type": "object"},
    "createdAt": {"type": "string"}
  }
})json";

const std::string_view order_confirmed = R"json({
  "type": "object",
  "required": ["orderId", "customerId", "lines", "total", "currency"],
  "properties": {
    "orderId": {"type": "string"},
    "customerId": {"type": "string"},
    "lines": {"type": "array", "items": {
      "type": "object",
      "required": ["sku", "name", "quantity", "unitPrice", "lineTotal"],
      "properties": {
        "sku": {"type": "string"}, "name": {"type": "string"}, "quantity": {"type": "integer", "minimum": 1},
        "unitPrice": {"type": "integer"}, "lineTotal": {"type": "integer"}}}},
    "total": {"type": "integer"},
    "currency": {"type": "string", "pattern": "^[A-Z]{3}$"}
  }
})json";

const std::string_view order_status_updated = R"json({
  "type": "object",
  "required": ["orderId", "customerId", "from", "to"],
  "properties": {
    "orderId": {"type": "string"},
    "customerId": {"type": "string"},
    "from": {"type": "string"},
    "to": {"type": "string", "enum": ["Reserved", "Paid", "Shipped", "Delivered", "Cancelling", "NeedsAttention"]},
    "reason": {"type": "string"}
  }
})json";

const std::string_view order_cancelled = R"json({
  "type": "object",
  "required": ["orderId", "customerId", "reason", "total", "currency"],
  "properties": {
    "orderId": {"type": "string"},
    "customerId": {"type": "string"},
    "reason": {"type": "string"},
    "total": {"type": "integer"},
    "currency": {"type": "string", "pattern": "^[A-Z]{3}$"}
  }
})json";

const std::string_view order_completed = R"json({
  "type": "object",
  "required": ["orderId", "customerId"],
  "properties": {"orderId": {"type": "string"}, "customerId": {"type": "string"}}
})json";

}  // namespace shop::order::schemas
