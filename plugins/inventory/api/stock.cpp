#include "api/stock.hpp"

#include <algorithm>

#include "api/answers.hpp"
#include "events/publish.hpp"
#include "store/stock.hpp"
#include "store/turn.hpp"

namespace inventory {
namespace {

constexpr std::int64_t most = 1'000'000'000'000;  // of one SKU: far from where sums could overflow

bool is_sku(std::string_view text) { return !text.empty() && text.size() <= 64; }

gantry::reply no_stock(std::string_view sku) { return gantry::not_found("no stock is kept of " + std::string(sku)); }

// What PUT asks for: a total, or the contents of every warehouse.
struct wanted {
  std::optional<std::int64_t> total;
  std::vector<shelf> shelves;
  std::optional<std::int64_t> low_at;
};

void read_shelves(const gantry::json_view& list, wanted& to, gantry::field_errors& bad) {
  if (!list.is_array() || list.empty() || list.size() > 100) {
    bad.push_back({"warehouses", "must be a list of 1 to 100 warehouses"});
    return;
  }
  std::size_t index = 0;
  for (const auto& each : list) {
    gantry::field_errors wrong;
    shelf one{read_text(each, "warehouseId", 64, wrong), read_integer(each, "onHand", 0, most, wrong)};
    const bool twice = std::any_of(to.shelves.begin(), to.shelves.end(),
                                   [&](const shelf& other) { return other.warehouse == one.warehouse; });
    if (twice) wrong.push_back({"warehouseId", one.warehouse + " is named twice"});
    for (const auto& each_wrong : wrong) {
      bad.push_back({"warehouses[" + std::to_string(index) + "]." + each_wrong.field, each_wrong.detail});
    }
    to.shelves.push_back(std::move(one));
    ++index;
  }
}

wanted read_wanted(const gantry::json_view& body, gantry::field_errors& bad) {
  wanted out;
  const bool by_total = body["onHand"].exists();
  if (by_total == body["warehouses"].exists()) {
    bad.push_back({"onHand", "exactly one of onHand and warehouses must be given"});
    return out;
  }
  if (by_total) out.total = read_integer(body, "onHand", 0, most, bad);
  if (!by_total) read_shelves(body["warehouses"], out, bad);
  if (body["lowStockThreshold"].exists()) out.low_at = read_integer(body, "lowStockThreshold", 0, most, bad);
  return out;
}

// Spreads a new total over the shelves there are.
void spread(std::vector<shelf>& shelves, std::int64_t delta) {
  if (delta >= 0) {
    shelves.front().on_hand += delta;
    return;
  }
  for (const pick& each : plan_picks(shelves, -delta)) {
    const auto from =
        std::find_if(shelves.begin(), shelves.end(), [&](const shelf& one) { return one.warehouse == each.warehouse; });
    from->on_hand -= each.quantity;
  }
}

std::string default_warehouse(gantry::db& db) {
  return db.one("SELECT warehouse_id FROM warehouses ORDER BY created_at, warehouse_id LIMIT 1")->get<std::string>(0);
}

// The shelves that `asked` amounts to, or the first warehouse that does not exist.
std::vector<shelf> plan_shelves(gantry::db& db, const wanted& asked, const std::optional<level>& before,
                                std::string& unknown) {
  if (asked.total) {
    std::vector<shelf> shelves =
        before ? find_shelves(db, *before) : std::vector<shelf>{{default_warehouse(db), std::int64_t{0}}};
    spread(shelves, *asked.total - (before ? before->on_hand : 0));
    return shelves;
  }
  for (const shelf& each : asked.shelves) {
    if (has_warehouse(db, each.warehouse)) continue;
    unknown = each.warehouse;
    break;
  }
  return asked.shelves;
}

}  // namespace

gantry::reply stock_api::show(const gantry::request& q, gantry::context& ctx) const {
  const auto found = find_level(ctx.read(), q.path("sku"));
  if (!found) return no_stock(q.path("sku"));
  return show_stock(ctx.read(), *found, low_at_);
}

gantry::reply stock_api::set(const gantry::request& q, gantry::context& ctx) const {
  gantry::field_errors bad;
  if (!is_sku(q.path("sku"))) bad.push_back({"sku", "must be a text of 1 to 64 bytes"});
  const wanted asked = read_wanted(q.json(), bad);
  if (!bad.empty()) return gantry::bad_request("the stock is not valid", bad);

  return ctx.write([this, &q, asked](gantry::tx& tx) -> gantry::reply {
    take_turn(tx, postgres_);
    const std::string_view sku = q.path("sku");
    const auto before = find_level(tx, sku);
    if (is_stale(q.header("if-match"), before ? before->version : 0)) {
      return gantry::precondition_failed("the stock has another version than If-Match names");
    }
    std::string unknown;
    const std::vector<shelf> shelves = plan_shelves(tx, asked, before, unknown);
    if (!unknown.empty()) return gantry::unprocessable("unknown-warehouse", "there is no warehouse " + unknown);
    if (!set_level(tx, sku, shelves, asked.low_at)) {
      return gantry::conflict("reserved-stock",
                              std::to_string(before->reserved) + " are reserved, the new stock would be below");
    }
    const auto after = find_level(tx, sku);
    tell_stock(tx, sku, after->on_hand, after->reserved);
    // A new SKU begins above any threshold, so that one created low raises its alert.
    const std::int64_t low_after = after->low_at.value_or(low_at_);
    const mark was =
        before ? mark{before->available(), before->low_at.value_or(low_at_)} : mark{low_after + 1, low_after};
    tell_crossing(tx, sku, was, {after->available(), low_after});
    return show_stock(tx, *after, low_at_, before ? 200 : 201);
  });
}

gantry::reply stock_api::adjust(const gantry::request& q, gantry::context& ctx) const {
  gantry::field_errors bad;
  const gantry::json_view body = q.json();
  const std::int64_t delta = read_integer(body, "delta", -most, most, bad);
  if (bad.empty() && delta == 0) bad.push_back({"delta", "must not be 0"});
  const std::string reason = body["reason"].exists() ? read_text(body, "reason", 200, bad) : std::string{};
  const std::string named = body["warehouseId"].exists() ? read_text(body, "warehouseId", 64, bad) : std::string{};

  return ctx.write([this, &q, bad, delta, reason, named](gantry::tx& tx) -> gantry::reply {
    if (!bad.empty()) return gantry::bad_request("the adjustment is not valid", bad);
    take_turn(tx, postgres_);
    const auto before = find_level(tx, q.path("sku"));
    if (!before) return no_stock(q.path("sku"));
    const std::string& warehouse = named.empty() ? before->home : named;
    if (!has_warehouse(tx, warehouse)) {
      return gantry::unprocessable("unknown-warehouse", "there is no warehouse " + warehouse);
    }
    if (before->on_hand + delta > most || !adjust_shelf(tx, *before, warehouse, delta)) {
      return gantry::conflict("insufficient-stock",
                              "warehouse " + warehouse + " can't change by " + std::to_string(delta) + ": on hand " +
                                  std::to_string(before->on_hand) + " in all warehouses, reserved " +
                                  std::to_string(before->reserved));
    }
    const auto after = find_level(tx, before->sku);
    tell_stock(tx, after->sku, after->on_hand, after->reserved, reason);
    const std::int64_t threshold = after->low_at.value_or(low_at_);
    tell_crossing(tx, after->sku, {before->available(), threshold}, {after->available(), threshold});
    return show_stock(tx, *after, low_at_);
  });
}

gantry::reply stock_api::transfer(const gantry::request& q, gantry::context& ctx) const {
  gantry::field_errors bad;
  const gantry::json_view body = q.json();
  const std::string sku = read_text(body, "sku", 64, bad);
  const std::string from = read_text(body, "from", 64, bad);
  const std::string to = read_text(body, "to", 64, bad);
  const std::int64_t quantity = read_integer(body, "quantity", 1, most, bad);
  if (bad.empty() && from == to) bad.push_back({"to", "must be another warehouse than from"});

  return ctx.write([this, bad, sku, from, to, quantity](gantry::tx& tx) -> gantry::reply {
    if (!bad.empty()) return gantry::bad_request("the transfer is not valid", bad);
    take_turn(tx, postgres_);
    const auto before = find_level(tx, sku);
    if (!before) return no_stock(sku);
    for (const std::string& each : {from, to}) {
      if (!has_warehouse(tx, each)) return gantry::unprocessable("unknown-warehouse", "there is no warehouse " + each);
    }
    if (!move_goods(tx, *before, from, to, quantity)) {
      return gantry::conflict("insufficient-stock",
                              "warehouse " + from + " holds less than " + std::to_string(quantity) + " of " + sku);
    }
    tell_stock(tx, sku, before->on_hand, before->reserved, "transfer");
    return show_stock(tx, *find_level(tx, sku), low_at_);
  });
}

gantry::reply stock_api::alerts(const gantry::request& q, gantry::context& ctx) const {
  gantry::field_errors bad;
  const page asked = read_page(q, bad);
  if (!bad.empty()) return gantry::bad_request("the page is not valid", bad);
  gantry::db& db = ctx.read();
  gantry::json_writer out;
  out.object().key("items").array();
  for (const auto& row : db.query("SELECT a.sku, s.on_hand - s.reserved, s.low_at, a.raised_at FROM alerts a "
                                  "JOIN stock s ON s.sku = a.sku ORDER BY a.raised_at DESC, a.sku LIMIT $1 OFFSET $2",
                                  asked.size, asked.offset())) {
    out.object().field("sku", row.get<std::string_view>(0)).field("available", row.get<std::int64_t>(1));
    out.field("threshold", row.get<std::optional<std::int64_t>>(2).value_or(low_at_));
    out.field("raisedAt", row.get<gantry::instant>(3).rfc3339()).end();
  }
  out.end().field("page", asked.number).field("pageSize", asked.size);
  out.field("total", db.one("SELECT COUNT(*) FROM alerts")->get<std::int64_t>(0)).end();
  return gantry::json(std::move(out));
}

}  // namespace inventory
