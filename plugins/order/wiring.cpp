#include "api/config.hpp"
#include "events/publish.hpp"
#include "events/schemas.hpp"
#include "plugin.hpp"

namespace shop::order {

void order_plugin::setup(gantry::setup& s) {
  s.config_schema(config_schema);
  declare_routes(s);
  declare_events(s);
  s.calls("catalog");
  s.timer(
      saga_timer_kind, [this](std::string_view key, gantry::tx& tx) { progress_->on_timer(key, tx); },
      [this](gantry::db& db, const gantry::rearm_fn& rearm) { progress_->restore(db, rearm); });
  s.saga("order", [this](gantry::db& db, std::string_view key) { return progress_->describe(db, key); });
}

void order_plugin::start(gantry::start_context& ctx) {
  flow_.emplace(read_settings(ctx.host().config()));
  progress_.emplace(*flow_, ctx.host());
  routes_.emplace(*flow_, *progress_);
}

void order_plugin::declare_routes(gantry::setup& s) {
  using gantry::context;
  using gantry::request;
  s.post(
      "/orders", [this](const request& q, context& c) { return routes_->place(q, c); }, gantry::idempotent);
  s.get("/orders", [this](const request& q, context& c) { return routes_->list(q, c); });
  s.get("/orders/{id}", [this](const request& q, context& c) { return routes_->get(q, c); });
  s.get("/orders/{id}/history", [this](const request& q, context& c) { return routes_->history(q, c); });
  s.post(
      "/orders/{id}/cancel", [this](const request& q, context& c) { return routes_->cancel(q, c); },
      gantry::idempotent);
}

void order_plugin::declare_events(gantry::setup& s) {
  s.emits("order-events", "OrderCreated", 1, schemas::order_created);
  s.emits("order-events", "OrderConfirmed", 1, schemas::order_confirmed);
  s.emits("order-events", "OrderStatusUpdated", 1, schemas::order_status_updated);
  s.emits("order-events", "OrderCancelled", 1, schemas::order_cancelled);
  s.emits("order-events", "OrderCompleted", 1, schemas::order_completed);
  const auto advance = [this](const gantry::event& e, gantry::tx& tx) { return progress_->on_event(e, tx); };
  // The saga's table says which commands are sent and which answers are awaited.
  for (const gantry::saga_step& step : order_saga(settings{}).steps) {
    const std::string answers = std::string(step.topic.substr(0, step.topic.find('-'))) + "-events";
    s.emits(step.topic, step.command);
    s.on(answers, step.success, advance);
    s.on(answers, step.failure, advance);
    if (step.compensation.empty()) continue;
    s.emits(step.compensation_topic, step.compensation);
    s.on(answers, step.compensated, advance);
  }
  s.on("shipping-events", "ShipmentDispatched", advance);
  s.on("shipping-events", "ShipmentDelivered", advance);
}

}  // namespace shop::order
