#include "events/notifier.hpp"

#include <functional>
#include <string>

#include <gantry/json_writer.hpp>

#include "domain/message_template.hpp"
#include "events/schemas.hpp"
#include "jobs/delivery.hpp"

namespace notification {
namespace {

constexpr std::size_t notifications_in_a_run = 2048;

// The id decides, not a counter: a transaction that is run again does the same again.
bool ends_run(std::string_view id) { return std::hash<std::string_view>{}(id) % notifications_in_a_run == 0; }

}  // namespace

std::string_view job_kind_of(channel_kind channel) {
  switch (channel) {
    case channel_kind::email:
      return "mail";
    case channel_kind::sms:
      return "sms";
    case channel_kind::push:
      return "push";
    case channel_kind::inapp:
      return "inapp";
  }
  return "mail";
}

gantry::outcome notifier::announce(notice about, const gantry::event& e, gantry::tx& t) {
  const gantry::json_view data = e.data();
  const std::string_view customer_id = data["customerId"].text();
  if (customer_id.empty()) return gantry::reject(std::string(e.type()) + " has no customerId");
  return notify({about, data["orderId"].text(), customer_id, 0, data}, t);
}

gantry::outcome notifier::refunded(const gantry::event& e, gantry::tx& t) {
  const gantry::json_view data = e.data();
  if (data["amount"].integer() <= 0) return gantry::ok;
  const std::string_view order_id = data["orderId"].text();
  const std::string customer_id = customer_of_order(t, order_id);
  // What was refunded so far tells the refunds of one order apart.
  return notify({notice::payment_refunded, order_id, customer_id, data["refunded"].integer(), data}, t);
}

gantry::outcome notifier::notify(const occasion& what, gantry::tx& t) {
  if (what.order_id.empty() || what.order_id.size() > 128) {
    return gantry::reject("orderId must have 1 to 128 bytes, found " + std::to_string(what.order_id.size()));
  }
  bool in_inbox = true;
  for (const channel_kind channel : config_.channels_of(what.about)) {
    notify_by(channel, in_inbox, what, t);
    in_inbox = false;
  }
  return gantry::ok;
}

void notifier::notify_by(channel_kind channel, bool in_inbox, const occasion& what, gantry::tx& t) {
  const std::string_view asked = what.data["locale"].text();
  const std::string_view locale = is_locale(asked) ? asked : std::string_view(config_.default_locale);
  const template_ptr chosen = templates_.current(t, what.about, locale, config_.default_locale);
  const std::string id = notification_id(what.order_id, what.about, channel, what.ordinal);
  const std::string to = what.customer_id.empty() ? std::string() : config_.recipient_in(channel, what.customer_id);
  std::string missing;
  // A title that can't be rendered now can't be rendered by the job either, which then says so.
  const auto title = chosen->render_brief(what.data, missing);

  new_delivery row;
  row.notification_id = id;
  row.order_id = what.order_id;
  row.customer_id = what.customer_id;
  row.template_name = name_of(what.about);
  row.channel = name_of(channel);
  row.recipient = to;
  row.title = title ? std::string_view(*title) : row.template_name;
  row.in_inbox = in_inbox;
  row.at = t.now();
  const bool arrives_at_once = channel == channel_kind::inapp && !what.customer_id.empty();
  if (arrives_at_once) row.status = delivery_status::sent;
  if (!insert_delivery(t, row, numbers_ ? &*numbers_ : nullptr)) return;
  if (index_ == inbox_index::runs && ends_run(id)) add_customer_run(t);

  const delivery_order order{
      id, what.order_id, what.customer_id, channel, what.about, chosen->locale(), chosen->version(), to, row.at.us};
  if (arrives_at_once) {
    t.emit(schemas::topic, "NotificationSent", what.order_id, sent_event(order));
  } else {
    t.schedule(job_kind_of(channel), to_payload(order, what.data.raw()));
  }
}

}  // namespace notification
