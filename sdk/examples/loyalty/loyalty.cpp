#include "loyalty.hpp"

void loyalty::setup(gantry::setup& s) {
  s.get("/points/{customer}", &loyalty::points);
  s.on("order-events", "OrderConfirmed", &loyalty::award);
  s.emits("loyalty-events", "PointsAwarded");
}

gantry::reply loyalty::points(const gantry::request& q, gantry::context& ctx) {
  const auto row = ctx.read().one("SELECT points FROM points WHERE customer = $1", q.path("customer"));
  if (!row) return gantry::not_found("no points for this customer");
  return gantry::ok({{"customer", q.path("customer")}, {"points", row->get<std::int64_t>(0)}});
}

gantry::outcome loyalty::award(const gantry::event& e, gantry::tx& tx) {
  const gantry::json_view customer = e.data("customerId");
  const gantry::json_view total = e.data("total");  // minor units
  if (!customer.is_string() || !total.is_int()) return gantry::reject("OrderConfirmed without customerId or total");
  const std::int64_t earned = total.integer() / 100;
  const auto row = tx.one(
      "INSERT INTO points (customer, points) VALUES ($1, $2) "
      "ON CONFLICT (customer) DO UPDATE SET points = points.points + excluded.points RETURNING points",
      customer, earned);
  tx.emit("loyalty-events", "PointsAwarded", customer.text(),
          {{"customerId", customer},
           {"orderId", e.aggregate_id()},
           {"earned", earned},
           {"points", row->get<std::int64_t>(0)}});
  return gantry::ok;
}
