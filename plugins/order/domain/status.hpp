// The statuses of an order and the one table of allowed transitions. Pure. Thread: any.
//
// A status is stored as its number, so new ones are added at the end.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace shop::order {

enum class order_status : std::uint8_t {
  pending,
  reserved,
  paid,
  confirmed,
  shipped,
  delivered,
  completed,
  cancelling,
  cancelled,
  needs_attention,
};

// The name that clients and events use, e.g. "NeedsAttention".
std::string_view name_of(order_status status);

// The status of this name; nothing if there is none.
std::optional<order_status> status_named(std::string_view name);

// The status of this number; nothing if there is none.
std::optional<order_status> status_numbered(std::int64_t number);

// Whether the table allows this transition. Staying is always allowed.
bool may_become(order_status from, order_status to);

}  // namespace shop::order
