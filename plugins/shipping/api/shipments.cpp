#include "api/shipments.hpp"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include "domain/identity.hpp"
#include "events/announcements.hpp"
#include "store/shipments.hpp"
#include "webhook/signature.hpp"

namespace shipping {
namespace {

gantry::reply no_such_shipment(std::string_view id) {
  return gantry::not_found("There is no shipment " + std::string(id) + ".");
}

// A tombstone is nobody's shipment.
std::optional<stored_shipment> visible(gantry::db& d, std::string_view order_id) {
  if (order_id.empty()) return std::nullopt;
  auto found = find_shipment(d, order_id);
  if (found && found->is_tombstone() && found->status == shipment_status::cancelled) return std::nullopt;
  return found;
}

gantry::reply wrong_status(const stored_shipment& shipment, std::string_view wanted) {
  return gantry::conflict("shipment-status", "The shipment is " + std::string(to_text(shipment.status)) +
                                                 " and can't become " + std::string(wanted) + ".");
}

// What a person asks for: one step of the life of a shipment.
gantry::reply advance(const gantry::request& q, gantry::context& ctx, shipment_status from, shipment_status to) {
  return ctx.write([order_id = order_id_of(q.path("id")), id = q.path("id"), from, to](gantry::tx& t) -> gantry::reply {
    const gantry::instant now = t.now();
    if (!order_id.empty()) {
      if (const auto moved = move_shipment(t, order_id, from, to, {to_text(to), {}, now})) {
        if (to == shipment_status::dispatched) {
          announce_dispatched(t, *moved);
        } else {
          announce_delivered(t, *moved, now);
        }
        return {200, moved->to_json()};
      }
    }
    const auto found = visible(t, order_id);
    if (!found) return no_such_shipment(id);
    if (toward(to, found->status) == step::repeated) return {200, found->to_json()};
    return wrong_status(*found, to_text(to));
  });
}

struct report {
  tracking_status status = tracking_status::in_transit;
  std::string_view location;
  std::optional<gantry::instant> at;
};

// The report in a body; what is wrong goes to `errors`.
report read_report(gantry::json_view body, gantry::field_errors& errors) {
  report out;
  const std::string_view status = body["status"].text();
  if (const auto known = tracking_status_of(status)) {
    out.status = *known;
  } else {
    errors.push_back({"status",
                      "must be label_printed, picked_up, in_transit, out_for_delivery, exception or "
                      "delivered, found \"" +
                          std::string(status) + "\""});
  }
  out.location = body["location"].text();
  if (out.location.size() > 200) errors.push_back({"location", "must be at most 200 bytes"});
  if (const gantry::json_view at = body["at"]) {
    out.at = gantry::instant::parse(at.text());
    if (!out.at) errors.push_back({"at", "must be an RFC 3339 time, found " + std::string(at.raw())});
  }
  return out;
}

// Notes a report and draws its consequences; the shipment after it, or nothing if the report came too late for it.
std::optional<stored_shipment> apply(gantry::tx& t, stored_shipment shipment, const report& given) {
  const consequence after = consequence_of(given.status, shipment.status);
  if (!after.accepted) return std::nullopt;
  const history_entry entry{to_text(given.status), given.location, given.at.value_or(t.now())};
  note(t, shipment.order_id, entry);
  announce_tracking(t, shipment, entry);
  if (after.dispatches) {
    const shipment_status to = shipment_status::dispatched;
    if (auto moved = move_shipment(t, shipment.order_id, shipment.status, to, {to_text(to), {}, entry.at})) {
      shipment = std::move(*moved);
      announce_dispatched(t, shipment);
    }
  }
  if (after.delivers) {
    const shipment_status to = shipment_status::delivered;
    if (auto moved = move_shipment(t, shipment.order_id, shipment.status, to, {to_text(to), {}, entry.at})) {
      shipment = std::move(*moved);
      announce_delivered(t, shipment, entry.at);
    }
  }
  return visible(t, shipment.order_id);
}

gantry::reply refused_signature(signature_verdict verdict) {
  return gantry::problem(401, "webhook-signature", "Unauthorized", to_text(verdict));
}

gantry::reply applied(bool yes) { return {200, gantry::json{{"applied", yes}}}; }

}  // namespace

gantry::reply get_shipment(const gantry::request& q, gantry::context& ctx) {
  const auto found = visible(ctx.read(), order_id_of(q.path("id")));
  if (!found) return no_such_shipment(q.path("id"));
  return {200, found->to_json()};
}

gantry::reply list_shipments(const gantry::request& q, gantry::context& ctx) {
  const auto order_id = q.query("orderId");
  if (!order_id || order_id->empty()) {
    return gantry::bad_request("Shipments are listed by order.", {{"orderId", "must be given"}});
  }
  const auto found = visible(ctx.read(), *order_id);
  gantry::json_writer out;
  out.object().key("items").array();
  if (found) out.value(found->to_json());
  out.end().field("page", 1).field("pageSize", 20).field("total", found ? 1 : 0).end();
  return {200, gantry::json(std::move(out))};
}

gantry::reply dispatch_shipment(const gantry::request& q, gantry::context& ctx) {
  return advance(q, ctx, shipment_status::created, shipment_status::dispatched);
}

gantry::reply deliver_shipment(const gantry::request& q, gantry::context& ctx) {
  return advance(q, ctx, shipment_status::dispatched, shipment_status::delivered);
}

gantry::reply add_tracking(const gantry::request& q, gantry::context& ctx) {
  gantry::field_errors errors;
  const report given = read_report(q.json(), errors);
  if (!errors.empty()) return gantry::unprocessable("invalid-tracking", "The report is not complete.", errors);
  return ctx.write([order_id = order_id_of(q.path("id")), id = q.path("id"), given](gantry::tx& t) -> gantry::reply {
    const auto found = visible(t, order_id);
    if (!found) return no_such_shipment(id);
    const auto after = apply(t, *found, given);
    if (!after) return wrong_status(*found, "tracked");
    return {200, after->to_json()};
  });
}

gantry::reply take_report(const gantry::request& q, gantry::context& ctx, const settings& config) {
  using std::chrono::duration_cast;
  using std::chrono::microseconds;
  using std::chrono::seconds;
  const auto terms = std::ranges::find(config.carriers, q.path("carrier"), &carrier_terms::id);
  if (terms == config.carriers.end() || terms->webhook_secret.empty()) {
    return gantry::not_found("No carrier of this name sends reports.");
  }
  const seconds now = duration_cast<seconds>(microseconds(ctx.host().now().us));
  const signature_verdict verdict =
      verify_signature(q.header("gantry-signature").value_or(""), q.body(), terms->webhook_secret, now,
                       seconds(config.webhook_window_seconds));
  if (verdict != signature_verdict::valid) return refused_signature(verdict);

  const gantry::json_view body = q.json();
  gantry::field_errors errors;
  const report given = read_report(body, errors);
  const std::string_view event_id = body["eventId"].text();
  if (event_id.empty() || event_id.size() > 200) errors.push_back({"eventId", "must have 1 to 200 bytes"});
  const std::string order_id = order_id_of(shipment_in_reference(terms->id, body["reference"].text()));
  if (order_id.empty()) errors.push_back({"reference", "must be " + terms->id + "/<shipment id>"});
  if (!errors.empty()) return gantry::unprocessable("invalid-report", "The report is not complete.", errors);

  const std::chrono::hours memory(24 * config.webhook_memory_days);
  return ctx.write(
      [carrier = std::string_view(terms->id), order_id, event_id, given, memory](gantry::tx& t) -> gantry::reply {
        const auto found = visible(t, order_id);
        if (!found || found->carrier != carrier) return no_such_shipment(shipment_id_of(order_id));
        if (!take_receipt(t, carrier, event_id, t.now(), t.now() - memory)) return applied(false);
        return applied(apply(t, *found, given).has_value());
      });
}

}  // namespace shipping
