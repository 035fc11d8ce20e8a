#include "events/commands.hpp"

#include "domain/alerts.hpp"
#include "domain/reservation.hpp"
#include "events/publish.hpp"
#include "store/turn.hpp"

namespace inventory {
namespace {

constexpr std::size_t sweep_size = 500;

std::vector<line> lines_of(const gantry::json_view& list) {
  std::vector<line> lines;
  lines.reserve(list.size());
  for (const auto& each : list) lines.push_back({std::string(each["sku"].text()), each["quantity"].integer()});
  return lines;
}

std::optional<reservation_state> state_of(const std::optional<reservation>& found) {
  if (!found) return std::nullopt;
  return found->state;
}

}  // namespace

gantry::outcome commands::reserve(const gantry::event& e, gantry::tx& tx) {
  const std::string_view order_id = e.data("orderId").text();
  if (order_id.empty()) return gantry::reject("ReserveInventory without orderId");
  std::vector<line> lines = lines_of(e.data("lines"));
  const std::string wrong = put_in_order(lines);
  if (!wrong.empty()) {
    tell_rejected(tx, order_id, "invalid lines: " + wrong, "[]");
    return gantry::ok;
  }
  const std::string text = lines_text(lines);
  if (reservations_.open(tx, order_id, text)) {
    try_to_hold(tx, order_id, lines, text);
  } else {
    answer_again(tx, order_id);
  }
  return gantry::ok;
}

void commands::try_to_hold(gantry::tx& tx, std::string_view order_id, const std::vector<line>& lines,
                           std::string_view text) {
  std::vector<remaining> left;
  left.reserve(lines.size());
  for (const line& each : lines) {
    const auto after = hold(tx, each, stock_);
    if (!after) break;
    left.push_back(*after);
  }
  if (left.size() == lines.size()) {
    reservations_.remember(order_id, text);
    for (std::size_t i = 0; i < lines.size(); ++i) after_hold(tx, lines[i], left[i]);
    tell_lines(tx, "InventoryReserved", order_id, text);
    return;
  }

  // All or nothing: what was held goes back in this transaction, and every line that lacks is named.
  for (std::size_t i = 0; i < left.size(); ++i) unhold(tx, lines[i]);
  std::vector<shortage> short_of;
  for (const line& each : lines) {
    const auto found = find_level(tx, each.sku);
    const std::int64_t available = found ? found->available() : 0;
    if (available < each.quantity) short_of.push_back({each.sku, each.quantity, available});
  }
  const std::string shortages = shortages_text(short_of);
  reservations_.reject(tx, order_id, shortages);
  tell_rejected(tx, order_id, reason_of(reservation_state::rejected), shortages);
}

void commands::answer_again(gantry::tx& tx, std::string_view order_id) const {
  const auto found = reservations_.find(tx, order_id);
  const auto state = state_of(found);
  if (decide(state, command::reserve) == step::answer_reserved) {
    tell_lines(tx, "InventoryReserved", order_id, found->lines);
    return;
  }
  const bool was_rejected = state == reservation_state::rejected;
  tell_rejected(tx, order_id, reason_of(state), was_rejected ? std::string_view(found->lines) : "[]");
}

gantry::outcome commands::release(const gantry::event& e, gantry::tx& tx) {
  const std::string_view order_id = e.data("orderId").text();
  if (order_id.empty()) return gantry::reject("ReleaseInventory without orderId");
  if (const auto text = reservations_.close(tx, order_id, reservation_state::released)) {
    give_back(tx, parse_lines(*text));
    tell_lines(tx, "InventoryReleased", order_id, *text);
    return gantry::ok;
  }
  const auto found = reservations_.find(tx, order_id);
  std::string_view answer = "[]";
  switch (decide(state_of(found), command::release)) {
    case step::put_back_goods:
      return_goods(tx, *found);
      reservations_.set_state(tx, order_id, reservation_state::released);
      answer = found->lines;
      break;
    case step::leave_tombstone:
      reservations_.leave_tombstone(tx, order_id);
      break;
    case step::answer_released:
      if (found->state == reservation_state::released || found->state == reservation_state::expired) {
        answer = found->lines;
      }
      break;
    case step::give_back_hold:  // close() has done it
    case step::hold:
    case step::answer_reserved:
    case step::answer_rejected:
    case step::take_goods:
    case step::answer_committed:
    case step::answer_commit_failed:
      return gantry::retry("the reservation changed while it was read");
  }
  tell_lines(tx, "InventoryReleased", order_id, answer);
  return gantry::ok;
}

gantry::outcome commands::commit(const gantry::event& e, gantry::tx& tx) {
  const std::string_view order_id = e.data("orderId").text();
  if (order_id.empty()) return gantry::reject("CommitInventory without orderId");
  if (const auto text = reservations_.close(tx, order_id, reservation_state::committed)) {
    std::vector<foreign_pick> picks;
    for (const line& each : parse_lines(*text)) {
      const remaining left = take(tx, each, picks, stock_);
      tell_stock(tx, each.sku, left.on_hand, left.reserved);
    }
    if (!picks.empty()) reservations_.remember_picks(tx, order_id, picks_text(picks));
    tell_lines(tx, "InventoryCommitted", order_id, *text);
    return gantry::ok;
  }
  const auto found = reservations_.find(tx, order_id);
  if (decide(state_of(found), command::commit) == step::answer_committed) {
    tell_lines(tx, "InventoryCommitted", order_id, found->lines);
  } else {
    tell_commit_failed(tx, order_id, reason_of(state_of(found)));
  }
  return gantry::ok;
}

bool commands::sweep(gantry::tx& tx) {
  const auto ended = reservations_.expire(tx, sweep_size);
  for (const expired_reservation& each : ended) give_back(tx, parse_lines(each.lines));
  return ended.size() >= sweep_size;
}

void commands::give_back(gantry::tx& tx, const std::vector<line>& lines) const {
  for (const line& each : lines) {
    const remaining left = unhold(tx, each);
    if (crossed_zero(left.available() - each.quantity, left.available())) {
      tell_stock(tx, each.sku, left.on_hand, left.reserved);
    }
    after_return(tx, each, left);
  }
}

void commands::return_goods(gantry::tx& tx, const reservation& of) const {
  take_turn(tx, stock_.shared_store());
  std::vector<foreign_pick> picks;
  if (of.picks) picks = parse_picks(*of.picks);
  for (const line& each : parse_lines(of.lines)) {
    const remaining left = put_back(tx, each, picks);
    tell_stock(tx, each.sku, left.on_hand, left.reserved);
    after_return(tx, each, left);
  }
}

void commands::after_hold(gantry::tx& tx, const line& what, const remaining& now) const {
  const std::int64_t before = now.available() + what.quantity;
  if (crossed_zero(before, now.available())) tell_stock(tx, what.sku, now.on_hand, now.reserved);
  const std::int64_t threshold = now.low_at.value_or(low_at_);
  tell_crossing(tx, what.sku, {before, threshold}, {now.available(), threshold});
}

void commands::after_return(gantry::tx& tx, const line& what, const remaining& now) const {
  const std::int64_t threshold = now.low_at.value_or(low_at_);
  tell_crossing(tx, what.sku, {now.available() - what.quantity, threshold}, {now.available(), threshold});
}

}  // namespace inventory
