#include "store/reservations.hpp"

#include "domain/times.hpp"
#include "store/turn.hpp"

namespace inventory {
namespace {

constexpr auto number(reservation_state state) { return static_cast<std::int64_t>(state); }

}  // namespace

reservations::reservations(bool postgres, std::int64_t timeout_us)
    : postgres_(postgres),
      timeout_us_(timeout_us),
      close_sql_(in_turn("UPDATE reservations SET state = $2", postgres,
                         " WHERE order_id = $1 AND state = 1 RETURNING lines")) {}

// Half the timeout is the margin for hosts whose clocks differ.
bool reservations::may_be_passed(std::string_view order_id, gantry::instant now) const {
  const auto created = time_of_uuid7(order_id);
  return !created || *created < now.us - timeout_us_ / 2;
}

bool reservations::open(gantry::tx& tx, std::string_view order_id, std::string_view lines) const {
  const gantry::instant now = tx.now();
  const auto added = tx.exec(
      "INSERT INTO reservations (order_id, state, lines, expires_at) VALUES ($1, 1, $2, $3) "
      "ON CONFLICT (order_id) DO NOTHING",
      order_id, lines, now.us + timeout_us_);
  if (added == 0) return false;
  if (may_be_passed(order_id, now)) tx.exec("INSERT INTO late_reservations (order_id) VALUES ($1)", order_id);
  return true;
}

void reservations::remember(std::string_view order_id, std::string_view lines) {
  open_.put(order_id, std::string(lines));
}

std::optional<std::string> reservations::close(gantry::tx& tx, std::string_view order_id, reservation_state to) {
  // Taking the goods takes the turn; giving them back does not.
  const std::string* const known = to == reservation_state::committed ? open_.find(order_id) : nullptr;
  const std::string lines = known ? *known : std::string();
  open_.forget(order_id);
  if (known && tx.exec("UPDATE reservations SET state = $2 WHERE order_id = $1 AND state = 1 AND lines = $3", order_id,
                       number(to), lines) == 1)
    return lines;
  for (const auto& row : tx.query(close_sql_, order_id, number(to))) return row.get<std::string>(0);
  return std::nullopt;
}

std::optional<reservation> reservations::find(gantry::db& db, std::string_view order_id) const {
  const auto row = db.one("SELECT state, lines, picks FROM reservations WHERE order_id = $1", order_id);
  if (!row) return std::nullopt;
  return reservation{static_cast<reservation_state>(row->get<std::int64_t>(0)), row->get<std::string>(1),
                     row->get<std::optional<std::string>>(2)};
}

void reservations::set_state(gantry::tx& tx, std::string_view order_id, reservation_state to) const {
  tx.exec("UPDATE reservations SET state = $2 WHERE order_id = $1", order_id, number(to));
}

void reservations::reject(gantry::tx& tx, std::string_view order_id, std::string_view shortages) const {
  tx.exec("UPDATE reservations SET state = $2, lines = $3 WHERE order_id = $1", order_id,
          number(reservation_state::rejected), shortages);
}

void reservations::remember_picks(gantry::tx& tx, std::string_view order_id, std::string_view picks) const {
  tx.exec("UPDATE reservations SET picks = $2 WHERE order_id = $1", order_id, picks);
}

void reservations::leave_tombstone(gantry::tx& tx, std::string_view order_id) const {
  tx.exec("INSERT INTO reservations (order_id, state, lines, expires_at) VALUES ($1, $2, '[]', 0)", order_id,
          number(reservation_state::cancelled));
}

std::vector<expired_reservation> reservations::expire(gantry::tx& tx, std::size_t limit) {
  take_turn(tx, postgres_);
  const gantry::instant now = tx.now();
  const std::string horizon = uuid7_floor(now.us - timeout_us_);
  const std::string mark = tx.one("SELECT done_through FROM sweep WHERE id = 1")->get<std::string>(0);
  std::vector<std::string> due;
  std::string done_through = pass(tx, mark, horizon, limit, due);

  for (const auto& row : tx.query("SELECT r.order_id FROM late_reservations l "
                                  "JOIN reservations r ON r.order_id = l.order_id "
                                  "WHERE r.state = 1 AND r.expires_at <= $1 ORDER BY r.order_id LIMIT $2",
                                  now, limit)) {
    due.push_back(row.get<std::string>(0));
  }

  std::vector<expired_reservation> ended;
  for (std::string& order_id : due) {
    // One that both lists name is closed once.
    auto lines = close(tx, order_id, reservation_state::expired);
    if (lines) ended.push_back({std::move(order_id), std::move(*lines)});
  }
  if (done_through != mark) tx.exec("UPDATE sweep SET done_through = $1 WHERE id = 1", done_through);
  if (!ended.empty() || done_through != mark) {
    tx.exec(
        "DELETE FROM late_reservations WHERE NOT EXISTS (SELECT 1 FROM reservations r "
        "WHERE r.order_id = late_reservations.order_id AND r.state = 1)");
  }
  return ended;
}

// Collects what is due in the order of keys, up to the first hold that is still good: it was reserved some time after
// its order was made, so what follows has about as much time left. Returns the new mark.
std::string reservations::pass(gantry::tx& tx, const std::string& mark, const std::string& horizon, std::size_t limit,
                               std::vector<std::string>& due) const {
  for (const auto& row : tx.query("SELECT order_id, expires_at FROM reservations WHERE order_id > $1 AND "
                                  "order_id < $2 AND state = 1 ORDER BY order_id LIMIT $3",
                                  mark, horizon, limit)) {
    if (row.get<std::int64_t>(1) > tx.now().us) return due.empty() ? mark : due.back();
    due.push_back(row.get<std::string>(0));
  }
  if (due.size() == limit) return due.back();
  const auto last =
      tx.one("SELECT MAX(order_id) FROM reservations WHERE order_id > $1 AND order_id < $2", mark, horizon);
  return last->get<std::optional<std::string>>(0).value_or(mark);
}

std::string lines_text(const std::vector<line>& lines) {
  gantry::json_writer out;
  out.reserve(lines.size() * 40 + 2);
  out.array();
  for (const line& each : lines) out.object().field("sku", each.sku).field("quantity", each.quantity).end();
  out.end();
  return out.take();
}

std::vector<line> parse_lines(std::string_view text) {
  const auto document = gantry::json_document::parse(text);
  std::vector<line> lines;
  lines.reserve(document.root().size());
  for (const auto& each : document.root()) {
    lines.push_back({std::string(each["sku"].text()), each["quantity"].integer()});
  }
  return lines;
}

std::string picks_text(const std::vector<foreign_pick>& picks) {
  gantry::json_writer out;
  out.array();
  for (const foreign_pick& each : picks) {
    out.object().field("sku", each.sku).field("warehouseId", each.from.warehouse);
    out.field("quantity", each.from.quantity).end();
  }
  out.end();
  return out.take();
}

std::vector<foreign_pick> parse_picks(std::string_view text) {
  const auto document = gantry::json_document::parse(text);
  std::vector<foreign_pick> picks;
  for (const auto& each : document.root()) {
    picks.push_back(
        {std::string(each["sku"].text()), {std::string(each["warehouseId"].text()), each["quantity"].integer()}});
  }
  return picks;
}

}  // namespace inventory
