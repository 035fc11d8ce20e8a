#include "domain/flow.hpp"

#include <algorithm>
#include <stdexcept>
#include <utility>

namespace shop::order {
namespace {

using gantry::saga_phase;
using gantry::saga_signal;
using gantry::saga_signal_kind;
using gantry::saga_timer;
using gantry::step_status;

bool has(const gantry::saga_state& saga, std::size_t step) {
  return saga.steps[step] == step_status::done || saga.steps[step] == step_status::pivoted;
}

// The status that a saga on its way forward, or at its end, stands for.
order_status forward_status(const gantry::saga_state& saga, order_status before) {
  if (saga.steps[step_ship] == step_status::pivoted) {
    const bool further = before == order_status::delivered || before == order_status::completed;
    return further ? before : order_status::shipped;
  }
  if (has(saga, step_commit)) return order_status::confirmed;
  if (has(saga, step_pay)) return order_status::paid;
  return has(saga, step_reserve) ? order_status::reserved : order_status::pending;
}

order_status status_of(const gantry::saga_state& saga, order_status before) {
  switch (saga.phase) {
    case saga_phase::idle:
    case saga_phase::forward:
    case saga_phase::succeeded:
      return forward_status(saga, before);
    case saga_phase::backward:
      // A late success is undone after the order was cancelled; for the customer it stays so.
      return before == order_status::cancelled ? before : order_status::cancelling;
    case saga_phase::cancelled:
      return order_status::cancelled;
    case saga_phase::needs_attention:
      return order_status::needs_attention;
  }
  return before;
}

// The transition table has the last word: a move that it lacks is a fault of this program and is not stored.
void pass(order_move& move, order_status status) {
  const order_status from = move.after.status;
  if (!may_become(from, status)) {
    throw std::logic_error("an order that is " + std::string(name_of(from)) + " can't become " +
                           std::string(name_of(status)));
  }
  move.after.status = status;
  move.passed.push_back(status);
}

order_move unmoved(standing before) {
  order_move move;
  move.after = std::move(before);
  return move;
}

}  // namespace

gantry::saga_definition order_saga(const settings& config) {
  const auto undo = config.compensation_timeout;
  gantry::saga_definition saga;
  saga.name = "order";
  saga.compensation_attempts = config.compensation_attempts;
  saga.steps = {
      {"reserve", "inventory-commands", "ReserveInventory", "InventoryReserved", "InventoryRejected",
       config.reserve_timeout, "inventory-commands", "ReleaseInventory", "InventoryReleased", undo},
      {"pay", "payment-commands", "ProcessPayment", "PaymentProcessed", "PaymentFailed", config.pay_timeout,
       "payment-commands", "RefundPayment", "PaymentRefunded", undo},
      {"ship", "shipping-commands", "CreateShipment", "ShipmentCreated", "ShipmentFailed", config.ship_timeout,
       "shipping-commands", "CancelShipment", "ShipmentCancelled", undo, "ShipmentDispatched"},
      // Releasing the reservation also returns stock that was committed: no compensation of its own.
      {"commit", "inventory-commands", "CommitInventory", "InventoryCommitted", "InventoryCommitFailed",
       config.commit_timeout},
  };
  return saga;
}

order_flow::order_flow(settings config) : config_(std::move(config)), saga_(order_saga(config_)) {
  standing at = place(0).after;
  for (const std::string_view type : {"InventoryReserved", "PaymentProcessed", "ShipmentCreated", "InventoryCommitted",
                                      "ShipmentDispatched", "ShipmentDelivered"}) {
    usual_move usual{type, encode(at.saga), {}, at.status, on_event(at, type, 0)};
    at = usual.move.after;
    usual.saga_after = encode(at.saga);
    usual_.push_back(std::move(usual));
  }
}

const order_flow::usual_move* order_flow::usual(std::string_view event_type) const {
  const auto found =
      std::find_if(usual_.begin(), usual_.end(), [&](const usual_move& u) { return u.event_type == event_type; });
  return found == usual_.end() ? nullptr : &*found;
}

order_move order_flow::place(std::int64_t now_us) const {
  return follow({order_status::pending, gantry::new_saga(saga_)}, {saga_signal_kind::begin, now_us});
}

order_move order_flow::on_event(const standing& before, std::string_view type, std::int64_t now_us,
                                std::string_view reason) const {
  if (type == "ShipmentDelivered") {
    // What was delivered had been dispatched, also when that event is not here yet.
    order_move move = follow(before, {saga_signal_kind::pivoted, now_us, step_ship});
    deliver(move, now_us);
    return move;
  }
  const auto signal = gantry::signal_of(saga_, type, now_us, reason);
  return signal ? follow(before, *signal) : unmoved(before);
}

order_move order_flow::on_timer(const standing& before, std::int64_t now_us) const {
  if (before.status != order_status::delivered || before.saga.running()) {
    return follow(before, {saga_signal_kind::timeout, now_us});
  }
  order_move move = unmoved(before);
  if (before.saga.phase == saga_phase::succeeded) complete(move, now_us);
  return move;
}

order_move order_flow::cancel(const standing& before, std::string_view reason, std::int64_t now_us) const {
  return follow(before, {saga_signal_kind::cancel, now_us, 0, reason});
}

order_move order_flow::follow(const standing& before, const saga_signal& signal) const {
  gantry::saga_decision decision = gantry::advance(saga_, before.saga, signal);
  order_move move = unmoved({before.status, std::move(decision.state)});
  move.command = decision.command;
  move.timer = decision.timer;
  move.delay = decision.delay;
  move.applied = decision.applied;
  move.refused = decision.refused;
  if (!decision.applied) return move;
  pass(move, status_of(move.after.saga, before.status));
  move.confirmed = signal.kind == saga_signal_kind::succeeded && signal.step == step_commit &&
                   move.after.saga.phase == saga_phase::succeeded;
  if (move.confirmed && move.after.status == order_status::delivered) complete(move, signal.now_us);
  return move;
}

void order_flow::deliver(order_move& move, std::int64_t now_us) const {
  if (move.after.status != order_status::shipped) return;
  move.applied = true;
  pass(move, order_status::delivered);
  // While the stock is not committed the saga's timer runs on; completion then follows its last answer.
  if (move.after.saga.phase != saga_phase::succeeded) return;
  complete(move, now_us);
}

void order_flow::complete(order_move& move, std::int64_t now_us) const {
  const std::int64_t due_us = move.after.saga.deadline_us;
  const bool waited = due_us != 0 && now_us >= due_us;
  if (config_.completion_delay.count() == 0 || waited) {
    move.applied = true;
    move.timer = saga_timer::disarm;
    move.after.saga.deadline_us = 0;
    pass(move, order_status::completed);
    return;
  }
  move.applied = true;
  move.timer = saga_timer::arm;
  move.delay = due_us == 0 ? config_.completion_delay : std::chrono::microseconds(due_us - now_us);
  move.after.saga.deadline_us = now_us + move.delay.count();
}

}  // namespace shop::order
