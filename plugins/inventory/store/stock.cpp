#include "store/stock.hpp"

#include "store/turn.hpp"

namespace inventory {
namespace {

remaining read_remaining(const gantry::row& row) {
  return {row.get<std::int64_t>(0), row.get<std::int64_t>(1), row.get<std::optional<std::int64_t>>(2)};
}

// What an UPDATE of one stock row returns, so that the row is known afterwards.
#define WHOLE_ROW " RETURNING on_hand, reserved, low_at, home_on_hand, version"

remaining read_whole(const gantry::row& row, std::string_view sku, known_stock& known) {
  const remaining left = read_remaining(row);
  known.put({.sku = std::string(sku),
             .on_hand = left.on_hand,
             .reserved = left.reserved,
             .home = {},
             .home_on_hand = row.get<std::int64_t>(3),
             .low_at = left.low_at,
             .version = row.get<std::int64_t>(4)});
  return left;
}

remaining left_of(const level& now) { return {now.on_hand, now.reserved, now.low_at}; }

// For an UPDATE by change_known: only if the row is just as it is remembered.
#define AS_KNOWN                                                                                   \
  " WHERE sku = $1 AND on_hand = $2 AND reserved = $3 AND home_on_hand = $4 AND version = $5 AND " \
  "coalesce(low_at, -1) = $6"

// `quantity` is $7.
bool change_known(gantry::tx& tx, std::string_view update, const level& row, std::int64_t quantity) {
  return tx.exec(update, row.sku, row.on_hand, row.reserved, row.home_on_hand, row.version, row.low_at.value_or(-1),
                 quantity) == 1;
}

remaining must(const std::optional<gantry::row>& row, std::string_view sku) {
  if (!row)
    throw gantry::failure(GANTRY_FAILED, "no stock row for " + std::string(sku) + ", expected the one reserved");
  return read_remaining(*row);
}

void add_to_shelf(gantry::tx& tx, std::string_view sku, std::string_view warehouse, std::int64_t quantity) {
  tx.exec(
      "INSERT INTO shelves (sku, warehouse_id, on_hand) VALUES ($1, $2, $3) "
      "ON CONFLICT (sku, warehouse_id) DO UPDATE SET on_hand = shelves.on_hand + excluded.on_hand",
      sku, warehouse, quantity);
}

// An upsert would meet the CHECK of the inserted row before it looks for the old one, so taking is a statement of its
// own.
bool take_from_shelf(gantry::tx& tx, std::string_view sku, std::string_view warehouse, std::int64_t quantity) {
  return tx.exec("UPDATE shelves SET on_hand = on_hand - $3 WHERE sku = $1 AND warehouse_id = $2 AND on_hand >= $3",
                 sku, warehouse, quantity) == 1;
}

}  // namespace

std::optional<level> find_level(gantry::db& db, std::string_view sku) {
  const auto row =
      db.one("SELECT sku, on_hand, reserved, home, home_on_hand, low_at, version FROM stock WHERE sku = $1", sku);
  if (!row) return std::nullopt;
  return level{row->get<std::string>(0), row->get<std::int64_t>(1), row->get<std::int64_t>(2),
               row->get<std::string>(3), row->get<std::int64_t>(4), row->get<std::optional<std::int64_t>>(5),
               row->get<std::int64_t>(6)};
}

std::vector<shelf> find_shelves(gantry::db& db, const level& of) {
  std::vector<shelf> shelves{{of.home, of.home_on_hand}};
  for (const auto& row :
       db.query("SELECT warehouse_id, on_hand FROM shelves WHERE sku = $1 ORDER BY warehouse_id", of.sku)) {
    shelves.push_back({row.get<std::string>(0), row.get<std::int64_t>(1)});
  }
  return shelves;
}

std::optional<remaining> hold(gantry::tx& tx, const line& what, known_stock& known) {
  if (level* at = known.find(what.sku);
      at != nullptr && at->available() >= what.quantity &&
      change_known(tx, "UPDATE stock SET reserved = reserved + $7" AS_KNOWN, *at, what.quantity)) {
    at->reserved += what.quantity;
    return left_of(*at);
  }
  const auto sql = [](bool shared) {
    return in_turn("UPDATE stock SET reserved = reserved + $2", shared,
                   " WHERE sku = $1 AND on_hand - reserved >= $2" WHOLE_ROW);
  };
  static const std::string alone = sql(false);
  static const std::string in_shared_store = sql(true);
  const auto row = tx.one(known.shared_store() ? in_shared_store : alone, what.sku, what.quantity);
  if (!row) return std::nullopt;
  return read_whole(*row, what.sku, known);
}

remaining unhold(gantry::tx& tx, const line& what) {
  return must(tx.one("UPDATE stock SET reserved = reserved - $2 WHERE sku = $1 RETURNING on_hand, reserved, low_at",
                     what.sku, what.quantity),
              what.sku);
}

remaining take(gantry::tx& tx, const line& what, std::vector<foreign_pick>& picks, known_stock& known) {
  if (level* at = known.find(what.sku);
      at != nullptr && at->home_on_hand >= what.quantity &&
      change_known(tx,
                   "UPDATE stock SET on_hand = on_hand - $7, reserved = reserved - $7, "
                   "home_on_hand = home_on_hand - $7, version = version + 1" AS_KNOWN,
                   *at, what.quantity)) {
    at->on_hand -= what.quantity;
    at->reserved -= what.quantity;
    at->home_on_hand -= what.quantity;
    ++at->version;
    return left_of(*at);
  }
  const auto sql = [](bool shared) {
    return in_turn(
        "UPDATE stock SET on_hand = on_hand - $2, reserved = reserved - $2, home_on_hand = home_on_hand - $2, "
        "version = version + 1",
        shared, " WHERE sku = $1 AND home_on_hand >= $2" WHOLE_ROW);
  };
  static const std::string alone = sql(false);
  static const std::string in_shared_store = sql(true);
  const auto at_home = tx.one(known.shared_store() ? in_shared_store : alone, what.sku, what.quantity);
  if (at_home) return read_whole(*at_home, what.sku, known);
  take_turn(tx, known.shared_store());  // a statement that finds no row does not get to it

  const auto found = find_level(tx, what.sku);
  if (!found) throw gantry::failure(GANTRY_FAILED, "no stock row for " + what.sku + ", expected the one reserved");
  std::int64_t from_home = 0;
  for (const pick& each : plan_picks(find_shelves(tx, *found), what.quantity)) {
    if (each.warehouse == found->home) {
      from_home = each.quantity;
      continue;
    }
    take_from_shelf(tx, what.sku, each.warehouse, each.quantity);
    picks.push_back({what.sku, each});
  }
  return must(tx.one("UPDATE stock SET on_hand = on_hand - $2, reserved = reserved - $2, "
                     "home_on_hand = home_on_hand - $3, version = version + 1 WHERE sku = $1 "
                     "RETURNING on_hand, reserved, low_at",
                     what.sku, what.quantity, from_home),
              what.sku);
}

remaining put_back(gantry::tx& tx, const line& what, const std::vector<foreign_pick>& picks) {
  // The home warehouse may have changed since; what it has now is in the stock row, never on a shelf.
  std::int64_t to_home = what.quantity;
  for (const foreign_pick& each : picks) {
    if (each.sku != what.sku) continue;
    const auto home = tx.one("SELECT home FROM stock WHERE sku = $1", what.sku);
    if (home && home->get<std::string_view>(0) == each.from.warehouse) continue;
    add_to_shelf(tx, what.sku, each.from.warehouse, each.from.quantity);
    to_home -= each.from.quantity;
  }
  return must(tx.one("UPDATE stock SET on_hand = on_hand + $2, home_on_hand = home_on_hand + $3, version = version + 1 "
                     "WHERE sku = $1 RETURNING on_hand, reserved, low_at",
                     what.sku, what.quantity, to_home),
              what.sku);
}

bool set_level(gantry::tx& tx, std::string_view sku, const std::vector<shelf>& shelves,
               std::optional<std::int64_t> low_at) {
  std::int64_t total = 0;
  for (const shelf& each : shelves) total += each.on_hand;
  const auto changed = tx.exec(
      "INSERT INTO stock (sku, on_hand, reserved, home, home_on_hand, low_at, version) VALUES ($1, $2, 0, $3, $4, $5, "
      "1) "
      "ON CONFLICT (sku) DO UPDATE SET on_hand = excluded.on_hand, home = excluded.home, "
      "home_on_hand = excluded.home_on_hand, low_at = excluded.low_at, version = stock.version + 1 "
      "WHERE stock.reserved <= excluded.on_hand",
      sku, total, shelves.front().warehouse, shelves.front().on_hand, low_at);
  if (changed == 0) return false;
  tx.exec("DELETE FROM shelves WHERE sku = $1", sku);
  for (std::size_t i = 1; i < shelves.size(); ++i) add_to_shelf(tx, sku, shelves[i].warehouse, shelves[i].on_hand);
  return true;
}

bool adjust_shelf(gantry::tx& tx, const level& of, std::string_view warehouse, std::int64_t delta) {
  const bool at_home = warehouse == of.home;
  if (of.on_hand + delta < of.reserved || (at_home && of.home_on_hand + delta < 0)) return false;
  if (!at_home) {
    if (delta >= 0) {
      add_to_shelf(tx, of.sku, warehouse, delta);
    } else if (!take_from_shelf(tx, of.sku, warehouse, -delta)) {
      return false;
    }
  }
  tx.exec(
      "UPDATE stock SET on_hand = on_hand + $2, home_on_hand = home_on_hand + $3, version = version + 1 WHERE sku = $1",
      of.sku, delta, at_home ? delta : std::int64_t{0});
  return true;
}

bool move_goods(gantry::tx& tx, const level& of, std::string_view from, std::string_view to, std::int64_t quantity) {
  std::int64_t home_delta = 0;
  if (from == of.home) {
    if (of.home_on_hand < quantity) return false;
    home_delta = -quantity;
  } else if (!take_from_shelf(tx, of.sku, from, quantity)) {
    return false;
  }
  if (to == of.home) {
    home_delta = quantity;
  } else {
    add_to_shelf(tx, of.sku, to, quantity);
  }
  tx.exec("UPDATE stock SET home_on_hand = home_on_hand + $2, version = version + 1 WHERE sku = $1", of.sku,
          home_delta);
  return true;
}

void raise_alert(gantry::tx& tx, std::string_view sku, gantry::instant now) {
  tx.exec(
      "INSERT INTO alerts (sku, raised_at) VALUES ($1, $2) ON CONFLICT (sku) DO UPDATE SET raised_at = "
      "excluded.raised_at",
      sku, now);
}

void clear_alert(gantry::tx& tx, std::string_view sku) { tx.exec("DELETE FROM alerts WHERE sku = $1", sku); }

bool has_warehouse(gantry::db& db, std::string_view id) {
  return db.one("SELECT 1 FROM warehouses WHERE warehouse_id = $1", id).has_value();
}

#undef AS_KNOWN
#undef WHOLE_ROW

}  // namespace inventory
