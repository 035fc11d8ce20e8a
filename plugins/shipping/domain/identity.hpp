// How a shipment's id follows from its order's id.
//
// An order has one shipment at most, so the order's id is the table's key, and the shipment's id is the same UUID with
// its last 48 bits, which are random in a UUIDv7, masked by a constant: still a valid UUIDv7, still in the order of
// time, and its own inverse. A shipment is then found by either id with the one primary key, and needs no second index.
// An order id that is no UUID gets a prefix instead. Pure. Thread: any.
#pragma once

#include <string>
#include <string_view>

namespace shipping {

// The id of this order's shipment. Different orders give different ids.
std::string shipment_id_of(std::string_view order_id);

// The order that this shipment id belongs to: order_id_of(shipment_id_of(x)) == x. Empty if it can't be the id of a
// shipment.
std::string order_id_of(std::string_view shipment_id);

}  // namespace shipping
