// The shipping service: quotes, addresses, shipments, tracking. Wiring only.
#include "plugin.hpp"
#include "api/quotes.hpp"
#include "api/shipments.hpp"
#include "config/settings.hpp"
#include "domain/carrier.hpp"
#include "events/commands.hpp"
#include "events/schemas.hpp"

namespace shipping {

void shipping_plugin::setup(gantry::setup& s) {
  s.config_schema(settings_schema);

  s.post("/shipping/quotes",
         [this](const gantry::request& q, gantry::context&) { return quote_parcel(q, settings_, *carriers_); });
  s.post("/shipping/addresses/validate",
         [](const gantry::request& q, gantry::context&) { return validate_address(q); });
  s.get("/shipping/shipments/{id}", &get_shipment);
  s.get("/shipping/shipments", &list_shipments);
  s.post("/shipping/shipments/{id}/dispatch", &dispatch_shipment);
  s.post("/shipping/shipments/{id}/deliver", &deliver_shipment);
  s.post("/shipping/shipments/{id}/tracking", &add_tracking);
  s.post("/shipping/webhooks/{carrier}",
         [this](const gantry::request& q, gantry::context& ctx) { return take_report(q, ctx, settings_); });

  s.on("shipping-commands", "CreateShipment",
       [this](const gantry::event& e, gantry::tx& t) { return create_shipment(e, t, settings_, *carriers_); });
  s.on("shipping-commands", "CancelShipment",
       [this](const gantry::event& e, gantry::tx& t) { return handle_cancel(e, t, host().log()); });

  s.emits(schemas::topic, "ShipmentCreated", 1, schemas::shipment_created);
  s.emits(schemas::topic, "ShipmentFailed", 1, schemas::shipment_failed);
  s.emits(schemas::topic, "ShipmentCancelled", 1, schemas::shipment_cancelled);
  s.emits(schemas::topic, "ShipmentDispatched", 1, schemas::shipment_dispatched);
  s.emits(schemas::topic, "TrackingUpdated", 1, schemas::tracking_updated);
  s.emits(schemas::topic, "ShipmentDelivered", 1, schemas::shipment_delivered);
}

void shipping_plugin::start(gantry::start_context& ctx) {
  settings_ = read_settings(ctx.host().config());
  carriers_.emplace(network_of(settings_));
}

}  // namespace shipping
