#include "jobs/delivery.hpp"

#include <gantry/failure.hpp>

#include "events/schemas.hpp"

namespace notification {
namespace {

delivery_order from_payload(gantry::json_view payload) {
  const auto channel = channel_of(payload["channel"].text());
  const auto about = notice_of(payload["template"].text());
  if (!channel || !about) {
    throw gantry::rejected("the job names channel " + std::string(payload["channel"].raw()) + " and template " +
                           std::string(payload["template"].raw()) + ", which this version does not know");
  }
  return {payload["id"].text(),
          payload["orderId"].text(),
          payload["customerId"].text(),
          *channel,
          *about,
          payload["locale"].text(),
          payload["version"].integer(1),
          payload["to"].text(),
          payload["at"].integer()};
}

void write_common(gantry::json_writer& out, const delivery_order& order) {
  out.field("notificationId", order.id)
      .field("orderId", order.order_id)
      .field("customerId", order.customer_id)
      .field("channel", name_of(order.channel))
      .field("template", name_of(order.about))
      .field("to", order.to);
}

std::string percent_encoded(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const bool plain =
        (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.';
    if (plain) {
      out += c;
      continue;
    }
    out += '%';
    out += "0123456789ABCDEF"[static_cast<unsigned char>(c) >> 4U];
    out += "0123456789ABCDEF"[static_cast<unsigned char>(c) & 15U];
  }
  return out;
}

std::string ask_for_customer(gantry::context& ctx, std::string_view order_id) {
  const gantry::call_reply answer = ctx.get("order", "/orders/" + percent_encoded(order_id));
  if (answer.status == 404) throw gantry::rejected("the order service knows no order " + std::string(order_id));
  if (!answer.ok()) throw gantry::retry_later("the order service answered " + std::to_string(answer.status));
  const std::string_view customer = answer.json()["customerId"].text();
  if (customer.empty()) throw gantry::rejected("the order " + std::string(order_id) + " names no customer");
  return std::string(customer);
}

}  // namespace

std::string to_payload(const delivery_order& order, std::string_view data) {
  gantry::json_writer out;
  out.reserve(320 + data.size());
  out.object()
      .field("id", order.id)
      .field("orderId", order.order_id)
      .field("customerId", order.customer_id)
      .field("channel", name_of(order.channel))
      .field("template", name_of(order.about))
      .field("locale", order.locale)
      .field("version", order.version)
      .field("to", order.to)
      .field("at", order.at_us)
      .key("data")
      .raw(data)
      .end();
  return out.take();
}

gantry::json sent_event(const delivery_order& order) {
  gantry::json_writer out;
  out.object();
  write_common(out, order);
  out.end();
  return out;
}

std::string delivery_job::run(const gantry::job& j, gantry::context& ctx) const {
  const auto document = gantry::json_document::parse(j.payload());
  delivery_order order = from_payload(document.root());
  const bool resolve = order.customer_id.empty();
  std::string customer;
  std::string to;
  if (resolve) {
    customer = ask_for_customer(ctx, order.order_id);
    to = config_.recipient_in(order.channel, customer);
    order.customer_id = customer;
    order.to = to;
  }
  if (const auto& carrier = channels_[static_cast<std::size_t>(order.channel)]) {
    template_ptr wording = templates_.version(order.about, order.locale, order.version);
    if (!wording) wording = find_template(ctx.read(), order.about, order.locale, order.version);
    if (!wording) throw gantry::rejected("template version " + std::to_string(order.version) + " is not in the store");
    std::string missing;
    const auto message = wording->render(document.root()["data"], missing);
    if (!message) throw gantry::rejected("the event has no " + missing + ", which the template asks for");
    carrier->send({order.id, order.to, message->subject, message->text, message->html, message->brief, order.at_us});
  }
  gantry::json_writer out;
  out.object().field("resolved", resolve).field("event", sent_event(order)).end();
  return out.take();
}

void delivery_job::done(const gantry::job&, std::string_view result, gantry::tx& t) const {
  const auto document = gantry::json_document::parse(result);
  const gantry::json_view event = document.root()["event"];
  const std::string_view id = event["notificationId"].text();
  if (document.root()["resolved"].boolean()) {
    set_recipient(t, id, event["customerId"].text(), event["to"].text(), index_);
  }
  end_delivery(t, id, delivery_status::sent, {}, t.now());
  t.emit(schemas::topic, "NotificationSent", event["orderId"].text(), gantry::json(event));
}

void delivery_job::failed(const gantry::job& j, std::string_view error, gantry::tx& t) const {
  const auto document = gantry::json_document::parse(j.payload());
  const delivery_order order = from_payload(document.root());
  end_delivery(t, order.id, delivery_status::failed, error, t.now());
  gantry::json_writer out;
  out.object();
  write_common(out, order);
  out.field("reason", error).end();
  t.emit(schemas::topic, "NotificationFailed", order.order_id, out);
}

}  // namespace notification
