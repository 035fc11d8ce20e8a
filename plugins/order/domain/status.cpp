#include "domain/status.hpp"

#include <algorithm>
#include <array>
#include <cstddef>

namespace shop::order {
namespace {

using enum order_status;

constexpr std::array<std::string_view, 10> names = {"Pending",   "Reserved",      "Paid",      "Confirmed",
                                                    "Shipped",   "Delivered",     "Completed", "Cancelling",
                                                    "Cancelled", "NeedsAttention"};

struct transition {
  order_status from;
  order_status to;
};

constexpr transition table[] = {
    {pending, reserved},
    {pending, cancelling},
    {pending, cancelled},  // nothing was reserved, so there is nothing to undo
    {reserved, paid},
    {reserved, cancelling},
    {paid, confirmed},
    {paid, shipped},  // dispatched before the stock was committed
    {paid, cancelling},
    {confirmed, shipped},
    {confirmed, cancelling},
    {shipped, delivered},
    {shipped, needs_attention},
    {delivered, completed},
    {delivered, needs_attention},
    {cancelling, cancelled},
    {cancelling, shipped},  // the parcel had left before it could be stopped
    {cancelling, needs_attention},
    {cancelled, needs_attention},   // a late success that could not be undone
    {needs_attention, cancelling},  // the answer that was missing came after all
    {needs_attention, cancelled},
};

}  // namespace

std::string_view name_of(order_status status) { return names[static_cast<std::size_t>(status)]; }

std::optional<order_status> status_named(std::string_view name) {
  const auto found = std::find(names.begin(), names.end(), name);
  if (found == names.end()) return std::nullopt;
  return static_cast<order_status>(found - names.begin());
}

std::optional<order_status> status_numbered(std::int64_t number) {
  if (number < 0 || number >= static_cast<std::int64_t>(names.size())) return std::nullopt;
  return static_cast<order_status>(number);
}

bool may_become(order_status from, order_status to) {
  return from == to || std::any_of(std::begin(table), std::end(table),
                                   [&](const transition& allowed) { return allowed.from == from && allowed.to == to; });
}

}  // namespace shop::order
