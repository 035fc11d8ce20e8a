// The notification service: templates, deliveries, inboxes. Wiring only.
#include "plugin.hpp"

#include <chrono>

#include "api/inbox.hpp"
#include "api/templates.hpp"
#include "events/schemas.hpp"

namespace notification {

void notification_plugin::setup(gantry::setup& s) {
  s.config_schema(settings_schema);
  s.calls("order");
  declare_routes(s);
  declare_events(s);
  declare_jobs(s);
}

void notification_plugin::declare_routes(gantry::setup& s) {
  s.get("/notifications", &list_inbox);
  s.post("/notifications/{id}/read", &mark_as_read);
  s.get("/notifications/deliveries", &list_deliveries);
  s.get("/notifications/templates", &list_templates);
  s.get("/notifications/templates/{name}", &get_template);
  s.put("/notifications/templates/{name}", &put_template);
  s.post("/notifications/templates/{name}/preview", &preview_template);
}

void notification_plugin::declare_events(gantry::setup& s) {
  const auto announce = [this](notice about) {
    return [this, about](const gantry::event& e, gantry::tx& t) { return notifier_->announce(about, e, t); };
  };
  s.on("order-events", "OrderConfirmed", announce(notice::order_confirmed));
  s.on("order-events", "OrderCancelled", announce(notice::order_cancelled));
  s.on("payment-events", "PaymentRefunded",
       [this](const gantry::event& e, gantry::tx& t) { return notifier_->refunded(e, t); });
  s.on("shipping-events", "ShipmentDispatched", announce(notice::shipment_dispatched));
  s.on("shipping-events", "ShipmentDelivered", announce(notice::shipment_delivered));
  s.observe(schemas::topic, "TemplateSaved", [this](const gantry::event* e) { take_saved(e, templates_); });

  s.emits(schemas::topic, "NotificationSent", 1, schemas::notification_sent);
  s.emits(schemas::topic, "NotificationFailed", 1, schemas::notification_failed);
  s.emits(schemas::topic, "TemplateSaved", 1, schemas::template_saved);
}

void notification_plugin::declare_jobs(gantry::setup& s) {
  // Mail servers ask for patience (greylisting, restarts), and backoff grows to half a minute: 20 attempts last some
  // minutes before a message is parked.
  const gantry::job_options options{.max_attempts = 20, .concurrency = 8, .timeout = std::chrono::seconds(60)};
  for (const channel_kind channel : {channel_kind::email, channel_kind::sms, channel_kind::push, channel_kind::inapp}) {
    s.job(
        job_kind_of(channel), [this](const gantry::job& j, gantry::context& ctx) { return job_->run(j, ctx); },
        [this](const gantry::job& j, std::string_view result, gantry::tx& t) { job_->done(j, result, t); },
        [this](const gantry::job& j, std::string_view error, gantry::tx& t) { job_->failed(j, error, t); }, options);
  }
}

void notification_plugin::start(gantry::start_context& ctx) {
  settings_ = read_settings(ctx.host().config());
  channels_ = channels_from(settings_);
  const inbox_index index = ctx.host().driver() == "sqlite" ? inbox_index::runs : inbox_index::tree;
  notifier_.emplace(settings_, templates_, index);
  job_.emplace(settings_, templates_, channels_, index);
  ctx.write([this](gantry::tx& t) { templates_.load(t); });
}

void notification_plugin::stop() {
  // Says good-bye to the mail server while the host still waits for us.
  for (auto& carrier : channels_) carrier.reset();
}

}  // namespace notification
