// What this plugin tells the world: one function for each event that has more than one sender here.
// Each emits in the transaction that it is given, under the order's id as key.
#pragma once

#include <string_view>

#include <gantry/time.hpp>
#include <gantry/tx.hpp>

#include "store/shipments.hpp"

namespace shipping {

void announce_created(gantry::tx& t, std::string_view order_id, std::string_view customer_id, std::string_view carrier,
                      std::string_view tracking_number);
void announce_failed(gantry::tx& t, std::string_view order_id, std::string_view reason);
void announce_cancelled(gantry::tx& t, const stored_shipment& shipment);
void announce_dispatched(gantry::tx& t, const stored_shipment& shipment);
void announce_delivered(gantry::tx& t, const stored_shipment& shipment, gantry::instant at);
void announce_tracking(gantry::tx& t, const stored_shipment& shipment, const history_entry& entry);

}  // namespace shipping
