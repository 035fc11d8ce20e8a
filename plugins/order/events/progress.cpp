#include "events/progress.hpp"

#include <algorithm>
#include <functional>

#include "domain/history.hpp"

namespace shop::order {
namespace {

constexpr std::size_t finished_between_marks = 1000;
// No request lives longer than this between making an order's id and committing it.
constexpr std::chrono::microseconds commit_margin = std::chrono::seconds(60);
constexpr std::size_t max_reason = 500;

// Cuts at a character, not within one.
std::string_view cut(std::string_view text, std::size_t max) {
  if (text.size() <= max) return text;
  std::size_t end = max;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0U) == 0x80U) --end;
  return text.substr(0, end);
}

// A failure's words for the customer: its code, if it has one, and its reason.
std::string reason_of(const gantry::event& event) {
  const gantry::json_view reason = event.data("reason");
  const gantry::json_view code = event.data("code");
  std::string text(event.type());
  if (code.is_string()) text.append(": ").append(code.text());
  if (reason.is_string()) text.append(": ").append(reason.text());
  if (event.type() == "InventoryRejected") {
    const char* before = ": ";
    for (const gantry::json_view line : event.data("lines")) {
      text.append(before).append(line["sku"].text());
      text.append(" (wanted ").append(std::to_string(line["requested"].integer()));
      text.append(", has ").append(std::to_string(line["available"].integer())).append(")");
      before = ", ";
    }
  }
  return std::string(cut(text, max_reason));
}

// Saying sooner or later that a part was refunded is not yet the answer to "refund all".
bool is_partial_refund(const gantry::event& event) {
  return event.type() == "PaymentRefunded" && !event.data("full").boolean(true);
}

// Whether more events of the saga are to come after this move.
bool goes_on(const order_move& move) { return move.after.saga.running(); }

order_change usual_change(const gantry::event& event, const order_flow::usual_move& usual, std::int64_t now_us) {
  const bool arms = usual.move.timer == gantry::saga_timer::arm;
  return {usual.move.after.status, usual.saga_after,          arms ? now_us + usual.move.delay.count() : 0, now_us,
          usual.move.passed,       {event.type(), event.id()}};
}

}  // namespace

// On the usual path nothing is read: the order is remembered, and the store only compares. What is not remembered is
// read whole if more events are to come, to be remembered then.
gantry::outcome order_progress::on_event(const gantry::event& event, gantry::tx& tx) {
  if (is_partial_refund(event)) return gantry::ok;
  const order_flow::usual_move* const usual = flow_.usual(event.type());
  if (usual != nullptr && follow_remembered(event, *usual, tx)) return gantry::ok;
  recent_.forget(event.key());  // it goes another way than most
  if (usual != nullptr && (tells_goods(usual->move) || goes_on(usual->move))) {
    const auto whole = load_order(tx, event.key());
    if (!whole) return gantry::ok;  // an order of another shop on the same bus
    if (goes_on(usual->move) && is_worth_remembering(*whole)) {
      recent_.put(whole->order_id, *whole);
      if (follow_remembered(event, *usual, tx)) return gantry::ok;
    }
    return move_on(event, *whole, usual, &*whole, tx);
  }
  const auto order = load_head(tx, event.key());
  if (!order) return gantry::ok;
  return move_on(event, *order, usual, nullptr, tx);
}

bool order_progress::follow_remembered(const gantry::event& event, const order_flow::usual_move& usual,
                                       gantry::tx& tx) {
  order_row* const order = recent_.find(event.key());
  if (order == nullptr) return false;
  const order_status status = order->status;
  const std::int64_t deadline_us = order->deadline_us;
  const order_change change = usual_change(event, usual, tx.now().us);
  if (status != usual.status_before || order->saga != usual.saga_before || !change_known_order(tx, *order, change)) {
    recent_.forget(event.key());
    return false;
  }
  tell(tx, {event.key(), facts_of(*order, *order), status, usual.move}, deadline_us, change.deadline_us);
  if (!goes_on(usual.move)) recent_.forget(event.key());
  return true;
}

gantry::outcome order_progress::move_on(const gantry::event& event, const order_head& order,
                                        const order_flow::usual_move* usual, const order_goods* goods, gantry::tx& tx) {
  if (follow_usual_path(event, order, usual, goods, tx)) return gantry::ok;
  const auto before = standing_of(order);
  if (!before) return gantry::reject("the saga of order " + order.order_id + " is unreadable: " + order.saga);
  const bool failure = event.type().ends_with("Failed") || event.type().ends_with("Rejected");
  const std::string reason = failure ? reason_of(event) : std::string();
  const order_move move = flow_.on_event(*before, event.type(), tx.now().us, reason);
  if (move.applied) store(tx, order, move, {event.type(), event.id()});
  return gantry::ok;
}

bool order_progress::follow_usual_path(const gantry::event& event, const order_head& order,
                                       const order_flow::usual_move* usual, const order_goods* goods, gantry::tx& tx) {
  if (usual == nullptr || order.status != usual->status_before || order.saga != usual->saga_before) return false;
  write(tx, order, usual->move, usual_change(event, *usual, tx.now().us), goods);
  return true;
}

void order_progress::on_timer(std::string_view order_id, gantry::tx& tx) {
  recent_.forget(order_id);
  const auto order = load_head(tx, order_id);
  if (!order) return;
  const auto before = standing_of(*order);
  if (!before) {
    host_.log().error("The saga of an order is unreadable; its timer is dropped.", {{"order", order_id}});
    return;
  }
  const order_move move = flow_.on_timer(*before, tx.now().us);
  if (move.applied) {
    store(tx, *order, move, {"timer", {}});
  } else {
    set_timer(tx, order_id, move);
  }
}

order_move order_progress::cancel(gantry::tx& tx, order_head& order, std::string_view reason,
                                  std::string_view cause_id) {
  const auto before = standing_of(order);
  if (!before) throw gantry::failure(GANTRY_FAILED, "the saga of order " + order.order_id + " is unreadable");
  order_move move = flow_.cancel(*before, cut(reason, max_reason), tx.now().us);
  if (!move.applied) return move;
  recent_.forget(order.order_id);
  store(tx, order, move, {"request", cause_id});
  order.status = move.after.status;
  order.saga = encode(move.after.saga);
  order.updated_us = tx.now().us;
  ++order.version;
  return move;
}

void order_progress::restore(gantry::db& db, const gantry::rearm_fn& rearm) const {
  const std::int64_t now_us = host_.now().us;
  each_open(db, [&](std::string_view order_id, std::string_view saga_text, std::int64_t deadline_us) {
    const auto saga = gantry::decode_saga(saga_text, step_count, deadline_us);
    std::chrono::microseconds delay(deadline_us - now_us);
    if (saga && saga->running()) {
      // The whole timeout again: what was on its way while this service was down must not count against the order.
      const gantry::saga_step& step = flow_.saga().steps[saga->current];
      delay =
          saga->phase == gantry::saga_phase::forward ? step.timeout : gantry::compensation_wait(step, saga->attempts);
    }
    rearm(order_id, std::max(delay, std::chrono::microseconds(0)));
  });
}

std::optional<gantry::json> order_progress::describe(gantry::db& db, std::string_view order_id) const {
  const auto order = load_head(db, order_id);
  if (!order) return std::nullopt;
  const auto saga = gantry::decode_saga(order->saga, step_count, order->deadline_us);
  gantry::json_writer out;
  out.object().field("saga", flow_.saga().name).field("key", order_id).field("state", name_of(order->status));
  if (saga) {
    out.field("step", flow_.saga().steps[saga->current].name).field("attempts", saga->attempts);
    out.field("reason", saga->reason).key("steps").object();
    for (std::size_t i = 0; i < step_count; ++i) {
      out.field(flow_.saga().steps[i].name, name_of(saga->steps[i]));
    }
    out.end();
  }
  out.key("deadline");
  order->deadline_us == 0 ? out.null() : out.value(gantry::instant{order->deadline_us}.rfc3339());
  out.key("history").array();
  for (const history_entry& entry : load_history(db, *order)) {
    out.object().field("status", name_of(entry.status)).field("at", gantry::instant{entry.at_us}.rfc3339());
    out.field("cause", entry.cause).field("eventId", entry.event_id).end();
  }
  out.end().end();
  return gantry::json(std::move(out));
}

std::optional<standing> order_progress::standing_of(const order_head& order) const {
  auto saga = gantry::decode_saga(order.saga, step_count, order.deadline_us);
  if (!saga) return std::nullopt;
  return standing{order.status, std::move(*saga)};
}

void order_progress::store(gantry::tx& tx, const order_head& order, const order_move& move, const order_cause& by) {
  const std::string saga = encode(move.after.saga);
  write(tx, order, move, {move.after.status, saga, move.after.saga.deadline_us, tx.now().us, move.passed, by});
  if (move.after.status == order_status::needs_attention && order.status != order_status::needs_attention) {
    host_.log().error("An order could not be completed or undone; a person must look at it.",
                      {{"order", order.order_id}, {"reason", move.after.saga.reason}});
  }
}

void order_progress::write(gantry::tx& tx, const order_head& order, const order_move& move, const order_change& change,
                           const order_goods* goods) {
  change_order(tx, order, change);
  order_goods loaded;
  if (goods == nullptr && tells_goods(move)) loaded = load_goods(tx, order.seq);
  tell(tx, {order.order_id, facts_of(order, goods != nullptr ? *goods : loaded), order.status, move}, order.deadline_us,
       change.deadline_us);
}

void order_progress::tell(gantry::tx& tx, const publication& what, std::int64_t deadline_before_us,
                          std::int64_t deadline_us) {
  if (deadline_before_us == 0 && deadline_us != 0) note_reopened(tx, what.order_id);
  publish(tx, what);
  set_timer(tx, what.order_id, what.move);
  note_finished(tx, what.order_id, what.move);
}

// A start must find the orders that wait for a timer without reading the millions that don't. Ids grow with time, so
// one mark does: below it none waits. It is raised now and then, which costs a statement per thousand orders, where a
// table of open orders would cost two for every one.
void order_progress::note_finished(gantry::tx& tx, std::string_view order_id, const order_move& move) {
  if (move.timer != gantry::saga_timer::disarm) return;
  // The id decides, not a counter: a transaction that is run again does the same again.
  if (std::hash<std::string_view>{}(order_id) % finished_between_marks != 0) return;
  raise_open_mark(tx, (tx.now() - commit_margin).us);
}

}  // namespace shop::order
