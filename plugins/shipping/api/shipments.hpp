// Routes of shipments, and the reports of carriers about them. Thread: pool; what they write runs in the write lane.
#pragma once

#include <gantry/context.hpp>
#include <gantry/http.hpp>

#include "config/settings.hpp"

namespace shipping {

// GET /shipping/shipments/{id}
gantry::reply get_shipment(const gantry::request& q, gantry::context& ctx);

// GET /shipping/shipments?orderId=
gantry::reply list_shipments(const gantry::request& q, gantry::context& ctx);

// POST /shipping/shipments/{id}/dispatch: ShipmentDispatched. Repeated: the same answer, no second event.
gantry::reply dispatch_shipment(const gantry::request& q, gantry::context& ctx);

// POST /shipping/shipments/{id}/deliver: ShipmentDelivered, likewise.
gantry::reply deliver_shipment(const gantry::request& q, gantry::context& ctx);

// POST /shipping/shipments/{id}/tracking {status, location?, at?}: TrackingUpdated, and what follows from the report.
gantry::reply add_tracking(const gantry::request& q, gantry::context& ctx);

// POST /shipping/webhooks/{carrier} {eventId, reference, status, location?, at?}, signed (webhook/signature.hpp). A
// report that comes again is answered with applied false. `config` must outlive the reply.
gantry::reply take_report(const gantry::request& q, gantry::context& ctx, const settings& config);

}  // namespace shipping
