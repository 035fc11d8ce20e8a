#include "store/shipments.hpp"

#include "domain/identity.hpp"

namespace shipping {
namespace {

std::string entry_json(const history_entry& entry) {
  gantry::json_writer out;
  out.object().field("status", entry.status);
  if (!entry.location.empty()) out.field("location", entry.location);
  out.field("at", entry.at.rfc3339()).end();
  return out.take();
}

// The columns of every SELECT and RETURNING below.
#define SHIPMENT_COLUMNS "order_id, customer_id, status, carrier, tracking_number, reason, events, created_us"

stored_shipment from_row(const gantry::row& row) {
  stored_shipment out;
  out.order_id = row.get<std::string>(0);
  out.customer_id = row.get<std::string>(1);
  out.status = shipment_status_of(row.get<std::string_view>(2)).value_or(shipment_status::failed);
  out.carrier = row.get<std::string>(3);
  out.tracking_number = row.get<std::string>(4);
  out.reason = row.get<std::string>(5);
  out.events = row.get<std::string>(6);
  if (out.events.empty() || out.events.front() == ',') {
    out.events.insert(0, entry_json({to_text(shipment_status::created), {}, {row.get<std::int64_t>(7)}}));
  }
  return out;
}

std::optional<stored_shipment> from_row(const std::optional<gantry::row>& row) {
  if (!row) return std::nullopt;
  return from_row(*row);
}

}  // namespace

gantry::json stored_shipment::to_json() const {
  gantry::json_writer out;
  out.object()
      .field("shipmentId", shipment_id_of(order_id))
      .field("orderId", order_id)
      .field("customerId", customer_id)
      .field("status", to_text(status))
      .field("carrier", carrier)
      .field("trackingNumber", tracking_number);
  if (!reason.empty()) out.field("reason", reason);
  out.key("events").raw("[" + events + "]").end();
  return out;
}

bool insert_shipment(gantry::tx& t, const new_shipment& row) {
  return t.exec("INSERT INTO shipment (" SHIPMENT_COLUMNS
                ") VALUES ($1, $2, $3, $4, $5, $6, $7, $8) "
                "ON CONFLICT (order_id) DO NOTHING",
                row.order_id, row.customer_id, to_text(row.status), row.carrier, row.tracking_number, row.reason,
                row.status == shipment_status::created ? std::string() : entry_json({to_text(row.status), {}, row.at}),
                row.at.us) == 1;
}

std::optional<stored_shipment> find_shipment(gantry::db& d, std::string_view order_id) {
  return from_row(d.one("SELECT " SHIPMENT_COLUMNS " FROM shipment WHERE order_id = $1", order_id));
}

std::optional<stored_shipment> move_shipment(gantry::tx& t, std::string_view order_id, shipment_status from,
                                             shipment_status to, const history_entry& entry) {
  return from_row(
      t.one("UPDATE shipment SET status = $3, events = events || ',' || $4 WHERE order_id = $1 AND status = $2 "
            "RETURNING " SHIPMENT_COLUMNS,
            order_id, to_text(from), to_text(to), entry_json(entry)));
}

stored_shipment cancel_shipment(gantry::tx& t, std::string_view order_id, std::string_view reason, gantry::instant at) {
  const std::string_view cancelled = to_text(shipment_status::cancelled);
  const auto row = t.one(
      "INSERT INTO shipment (" SHIPMENT_COLUMNS
      ") VALUES ($1, '', $2, '', '', $3, $4, $5) ON CONFLICT (order_id) DO UPDATE SET "
      "reason = CASE WHEN shipment.status IN ('Created', 'Failed') THEN excluded.reason ELSE shipment.reason END, "
      "events = CASE WHEN shipment.status IN ('Created', 'Failed') THEN shipment.events || ',' || excluded.events "
      "ELSE shipment.events END, "
      "status = CASE WHEN shipment.status IN ('Created', 'Failed') THEN excluded.status ELSE shipment.status END "
      "RETURNING " SHIPMENT_COLUMNS,
      order_id, cancelled, reason, entry_json({cancelled, {}, at}), at.us);
  if (!row) throw gantry::failure(GANTRY_FAILED, "the store returned no row for a shipment that it has just written");
  return from_row(*row);
}

void note(gantry::tx& t, std::string_view order_id, const history_entry& entry) {
  t.exec("UPDATE shipment SET events = events || ',' || $2 WHERE order_id = $1", order_id, entry_json(entry));
}

bool take_receipt(gantry::tx& t, std::string_view carrier, std::string_view event_id, gantry::instant at,
                  gantry::instant forget_before) {
  t.exec("DELETE FROM webhook_receipt WHERE received_us < $1", forget_before.us);
  return t.exec(
             "INSERT INTO webhook_receipt (carrier, event_id, received_us) VALUES ($1, $2, $3) "
             "ON CONFLICT (carrier, event_id) DO NOTHING",
             carrier, event_id, at.us) == 1;
}

#undef SHIPMENT_COLUMNS

}  // namespace shipping
