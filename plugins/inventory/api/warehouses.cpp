#include "api/warehouses.hpp"

#include <algorithm>

#include "api/answers.hpp"

namespace inventory {
namespace {

bool is_slug(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'; });
}

}  // namespace

gantry::reply list_warehouses(const gantry::request& q, gantry::context& ctx) {
  gantry::field_errors bad;
  const page asked = read_page(q, bad);
  if (!bad.empty()) return gantry::bad_request("the page is not valid", bad);
  gantry::db& db = ctx.read();
  gantry::json_writer out;
  out.object().key("items").array();
  for (const auto& row : db.query("SELECT warehouse_id, name, created_at FROM warehouses "
                                  "ORDER BY created_at, warehouse_id LIMIT $1 OFFSET $2",
                                  asked.size, asked.offset())) {
    out.object().field("warehouseId", row.get<std::string_view>(0)).field("name", row.get<std::string_view>(1));
    out.field("createdAt", row.get<gantry::instant>(2).rfc3339()).end();
  }
  out.end().field("page", asked.number).field("pageSize", asked.size);
  out.field("total", db.one("SELECT COUNT(*) FROM warehouses")->get<std::int64_t>(0)).end();
  return gantry::json(std::move(out));
}

gantry::reply add_warehouse(const gantry::request& q, gantry::context& ctx) {
  gantry::field_errors bad;
  const std::string id = read_text(q.json(), "warehouseId", 64, bad);
  if (!is_slug(id)) bad.push_back({"warehouseId", "must be of a-z, 0-9 and '-', found " + id});
  const std::string name = read_text(q.json(), "name", 200, bad);
  if (!bad.empty()) return gantry::bad_request("the warehouse is not valid", bad);

  return ctx.write([id, name](gantry::tx& tx) -> gantry::reply {
    const gantry::instant now = tx.now();
    if (tx.exec("INSERT INTO warehouses (warehouse_id, name, created_at) VALUES ($1, $2, $3) "
                "ON CONFLICT (warehouse_id) DO NOTHING",
                id, name, now) == 0) {
      return gantry::conflict("warehouse-exists", "there is a warehouse " + id + " already");
    }
    return gantry::created("/inventory/warehouses",
                           {{"warehouseId", id}, {"name", name}, {"createdAt", now.rfc3339()}});
  });
}

}  // namespace inventory
