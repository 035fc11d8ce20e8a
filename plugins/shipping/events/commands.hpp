// The commands of the order saga. Both may come again at any time and then get the answer that they got before.
// Thread: lane.
#pragma once

#include <gantry/event.hpp>
#include <gantry/failure.hpp>
#include <gantry/host.hpp>
#include <gantry/tx.hpp>

#include "config/settings.hpp"
#include "domain/carrier.hpp"

namespace shipping {

// Books the parcel with the cheapest carrier: ShipmentCreated, or ShipmentFailed if nobody takes it or the order was
// cancelled before. One insert and one event, unless the command is a repetition.
gantry::outcome create_shipment(const gantry::event& command, gantry::tx& t, const settings& config,
                                const carrier_network& carriers);

// ShipmentCancelled, also for an order that is not known: the tombstone then refuses a CreateShipment that comes late.
// A shipment that has left is not cancelled and gets no answer: the saga was told by ShipmentDispatched, and a person
// reads of it in the log.
gantry::outcome handle_cancel(const gantry::event& command, gantry::tx& t, const gantry::logger& log);

}  // namespace shipping
