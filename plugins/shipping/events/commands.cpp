#include "events/commands.hpp"

#include <string>

#include "domain/address.hpp"
#include "domain/identity.hpp"
#include "events/announcements.hpp"
#include "store/shipments.hpp"

namespace shipping {
namespace {

std::int64_t weight_of(gantry::json_view lines, std::int64_t item_grams) {
  std::int64_t pieces = 0;
  for (const gantry::json_view& line : lines) pieces += line["quantity"].integer();
  return pieces * item_grams;
}

// Says again what was said when the row was written.
void answer_again(gantry::tx& t, std::string_view order_id) {
  const auto known = find_shipment(t, order_id);
  if (!known) throw gantry::failure(GANTRY_RETRY, "the shipment's row went away between two statements");
  switch (known->status) {
    case shipment_status::created:
    case shipment_status::dispatched:
    case shipment_status::delivered:
      announce_created(t, order_id, known->customer_id, known->carrier, known->tracking_number);
      return;
    case shipment_status::cancelled:
      announce_failed(t, order_id, "cancelled");
      return;
    case shipment_status::failed:
      announce_failed(t, order_id, known->reason);
      return;
  }
}

}  // namespace

gantry::outcome create_shipment(const gantry::event& command, gantry::tx& t, const settings& config,
                                const carrier_network& carriers) {
  const gantry::json_view order = command.data();
  const gantry::json_view address = order["shippingAddress"];
  const gantry::json_view lines = order["lines"];
  const std::string_view country = address["country"].text();
  new_shipment row;
  row.order_id = order["orderId"].text();
  if (row.order_id.empty()) return gantry::reject("CreateShipment has no orderId");
  row.customer_id = order["customerId"].text();
  row.at = t.now();

  booking booked;
  std::string refusal;
  const std::int64_t grams = weight_of(lines, config.default_item_grams);
  if (!is_country(country)) {
    refusal = "the address names no ISO 3166-1 country, found \"" + std::string(country) + "\"";
  } else if (const carrier* chosen = carriers.cheapest(country, grams)) {
    booked = chosen->book(shipment_id_of(row.order_id));
    row.carrier = chosen->id();
    row.tracking_number = booked.tracking_number;
  } else {
    refusal = carriers.refusal(country, grams);
  }
  if (!refusal.empty()) {
    row.status = shipment_status::failed;
    row.reason = refusal;
  }

  if (!insert_shipment(t, row)) {
    answer_again(t, row.order_id);
  } else if (refusal.empty()) {
    announce_created(t, row.order_id, row.customer_id, row.carrier, row.tracking_number);
  } else {
    announce_failed(t, row.order_id, refusal);
  }
  return gantry::ok;
}

gantry::outcome handle_cancel(const gantry::event& command, gantry::tx& t, const gantry::logger& log) {
  const gantry::json_view order = command.data();
  const std::string_view order_id = order["orderId"].text();
  if (order_id.empty()) return gantry::reject("CancelShipment has no orderId");
  const stored_shipment row = cancel_shipment(t, order_id, order["reason"].text(), t.now());
  if (row.status == shipment_status::cancelled) {
    announce_cancelled(t, row);
  } else {
    log.warn("A shipment that has left was not cancelled.", {{"order", order_id}, {"status", to_text(row.status)}});
  }
  return gantry::ok;
}

}  // namespace shipping
