// The JSON Schemas of what this plugin emits.
#pragma once

#include <string_view>

namespace notification::schemas {

inline constexpr std::string_view topic = "notification-events";

inline constexpr std::string_view notification_sent = R"json({
  "type": "object", "required": ["notificationId", "orderId", "customerId", "channel", "template", "to"],
  "properties": {"notificationId": {"type": "string"}, "orderId": {"type": "string"},
    "customerId": {"type": "string"}, "channel": {"type": "string"}, "template": {"type": "string"},
    "to": {"type": "string"}}
})json";

inline constexpr std::string_view notification_failed = R"json({
  "type": "object", "required": ["notificationId", "orderId", "customerId", "channel", "template", "to", "reason"],
  "properties": {"notificationId": {"type": "string"}, "orderId": {"type": "string"},
    "customerId": {"type": "string"}, "channel": {"type": "string"}, "template": {"type": "string"},
    "to": {"type": "string"}, "reason": {"type": "string"}}
})json";

inline constexpr std::string_view template_saved = R"json({
  "type": "object", "required": ["name", "locale", "version", "subject", "text", "html", "short"],
  "properties": {"name": {"type": "string"}, "locale": {"type": "string"}, "version": {"type": "integer"},
    "subject": {"type": "string"}, "text": {"type": "string"}, "html": {"type": "string"},
    "short": {"type": "string"}}
})json";

}  // namespace notification::schemas
