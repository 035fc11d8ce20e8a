#include "events/announcements.hpp"

#include "domain/identity.hpp"
#include "events/schemas.hpp"

namespace shipping {
namespace {

gantry::json_writer parcel(std::string_view order_id, std::string_view customer_id, std::string_view carrier,
                           std::string_view tracking_number) {
  gantry::json_writer out;
  out.object()
      .field("shipmentId", shipment_id_of(order_id))
      .field("orderId", order_id)
      .field("customerId", customer_id)
      .field("carrier", carrier)
      .field("trackingNumber", tracking_number)
      .end();
  return out;
}

}  // namespace

void announce_created(gantry::tx& t, std::string_view order_id, std::string_view customer_id, std::string_view carrier,
                      std::string_view tracking_number) {
  t.emit(schemas::topic, "ShipmentCreated", order_id, parcel(order_id, customer_id, carrier, tracking_number));
}

void announce_failed(gantry::tx& t, std::string_view order_id, std::string_view reason) {
  gantry::json_writer out;
  out.object().field("orderId", order_id).field("reason", reason).end();
  t.emit(schemas::topic, "ShipmentFailed", order_id, out);
}

void announce_cancelled(gantry::tx& t, const stored_shipment& shipment) {
  gantry::json_writer out;
  out.object()
      .field("orderId", shipment.order_id)
      .field("shipmentId", shipment.is_tombstone() ? std::string() : shipment_id_of(shipment.order_id))
      .end();
  t.emit(schemas::topic, "ShipmentCancelled", shipment.order_id, out);
}

void announce_dispatched(gantry::tx& t, const stored_shipment& shipment) {
  t.emit(schemas::topic, "ShipmentDispatched", shipment.order_id,
         parcel(shipment.order_id, shipment.customer_id, shipment.carrier, shipment.tracking_number));
}

void announce_delivered(gantry::tx& t, const stored_shipment& shipment, gantry::instant at) {
  gantry::json_writer out;
  out.object()
      .field("shipmentId", shipment_id_of(shipment.order_id))
      .field("orderId", shipment.order_id)
      .field("customerId", shipment.customer_id)
      .field("deliveredAt", at.rfc3339())
      .end();
  t.emit(schemas::topic, "ShipmentDelivered", shipment.order_id, out);
}

void announce_tracking(gantry::tx& t, const stored_shipment& shipment, const history_entry& entry) {
  gantry::json_writer out;
  out.object()
      .field("shipmentId", shipment_id_of(shipment.order_id))
      .field("orderId", shipment.order_id)
      .field("status", entry.status)
      .field("location", entry.location)
      .field("at", entry.at.rfc3339())
      .end();
  t.emit(schemas::topic, "TrackingUpdated", shipment.order_id, out);
}

}  // namespace shipping
