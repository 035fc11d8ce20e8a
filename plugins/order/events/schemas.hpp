// JSON Schemas of the data of the events that the order service emits. Thread: any.
#pragma once

#include <string_view>

namespace shop::order::schemas {

extern const std::string_view order_created;
extern const std::string_view order_confirmed;
extern const std::string_view order_status_updated;
extern const std::string_view order_cancelled;
extern const std::string_view order_completed;

}  // namespace shop::order::schemas
