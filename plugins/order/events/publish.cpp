#include "events/publish.hpp"

namespace shop::order {
namespace {

// A command carries sku and quantity only; prices are nobody's business there.
void put_items(gantry::json_writer& out, std::string_view lines) {
  const auto document = gantry::json_document::parse(lines);
  out.key("lines").array();
  for (const auto& line : document.root()) {
    out.object().field("sku", line["sku"]).field("quantity", line["quantity"]).end();
  }
  out.end();
}

gantry::json_writer begin_event(const publication& what) {
  gantry::json_writer out;
  out.reserve(192 + what.facts.lines.size());
  out.object().field("orderId", what.order_id).field("customerId", what.facts.customer_id);
  return out;
}

void emit_confirmed(gantry::tx& tx, const publication& what) {
  gantry::json_writer out = begin_event(what);
  out.key("lines").raw(what.facts.lines);
  out.field("total", what.facts.total).field("currency", what.facts.currency).end();
  tx.emit("order-events", "OrderConfirmed", what.order_id, out);
}

void emit_status(gantry::tx& tx, const publication& what, order_status from, order_status to) {
  const std::string& reason = what.move.after.saga.reason;
  gantry::json_writer out = begin_event(what);
  if (to == order_status::cancelled) {
    out.field("reason", reason).field("total", what.facts.total).field("currency", what.facts.currency).end();
    tx.emit("order-events", "OrderCancelled", what.order_id, out);
  } else if (to == order_status::completed) {
    out.end();
    tx.emit("order-events", "OrderCompleted", what.order_id, out);
  } else if (to != order_status::confirmed) {
    out.field("from", name_of(from)).field("to", name_of(to));
    if (!reason.empty()) out.field("reason", reason);
    out.end();
    tx.emit("order-events", "OrderStatusUpdated", what.order_id, out);
  }
}

}  // namespace

order_facts facts_of(const order_head& order, const order_goods& goods) {
  return {order.customer_id, order.currency, order.total, order.token, goods.lines, goods.address};
}

bool tells_goods(const order_move& move) {
  const auto& command = move.command;
  return move.confirmed ||
         (command && !command->compensation && (command->step == step_reserve || command->step == step_ship));
}

gantry::json command_json(const publication& what) {
  const gantry::saga_command& command = *what.move.command;
  const order_facts& facts = what.facts;
  gantry::json_writer out;
  out.reserve(256 + facts.address.size() + facts.lines.size());
  out.object().field("orderId", what.order_id);
  if (command.compensation) {
    out.field("reason", what.move.after.saga.reason);
  } else if (command.step == step_reserve) {
    put_items(out, facts.lines);
  } else if (command.step == step_pay) {
    out.field("customerId", facts.customer_id).field("amount", facts.total).field("currency", facts.currency);
    out.key("paymentMethod").object().field("token", facts.token).end();
  } else if (command.step == step_ship) {
    out.field("customerId", facts.customer_id);
    put_items(out, facts.lines);
    out.key("shippingAddress").raw(facts.address);
  }
  out.end();
  return gantry::json(std::move(out));
}

void publish(gantry::tx& tx, const publication& what) {
  // Confirmation is told also when the parcel was quicker and the status is further already.
  if (what.move.confirmed) emit_confirmed(tx, what);
  order_status from = what.status_before;
  for (const order_status to : what.move.passed) {
    if (to != from) emit_status(tx, what, from, to);
    from = to;
  }
  if (const auto& command = what.move.command) {
    tx.emit(command->topic, command->type, what.order_id, command_json(what));
  }
}

void set_timer(gantry::tx& tx, std::string_view order_id, const order_move& move) {
  switch (move.timer) {
    case gantry::saga_timer::keep:
      return;
    case gantry::saga_timer::arm:
      return tx.arm(saga_timer_kind, order_id, move.delay, true);
    case gantry::saga_timer::disarm:
      return tx.disarm(saga_timer_kind, order_id);
  }
}

}  // namespace shop::order
