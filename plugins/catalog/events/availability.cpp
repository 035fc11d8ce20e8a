#include "events/availability.hpp"

#include <map>
#include <string_view>
#include <vector>

namespace catalog {

gantry::outcome follow_stock(std::span<const gantry::event> events, gantry::tx& tx) {
  // Sorted, so that two lanes on PostgreSQL touch rows in one order. The last word on a SKU counts.
  std::map<std::string_view, bool> said;
  for (std::size_t i = 0; i < events.size(); ++i) {
    const std::string_view sku = events[i].data("sku").text();
    const gantry::json_view available = events[i].data("available");
    if (sku.empty() || !available.is_int()) {
      throw gantry::batch_failure(i, "StockLevelChanged without sku or available", GANTRY_REJECT);
    }
    said[sku] = available.integer() > 0;
  }
  std::vector<std::string_view> skus;
  skus.reserve(said.size());
  for (const auto& [sku, in_stock] : said) skus.push_back(sku);
  for (const auto& row :
       tx.query("SELECT sku, in_stock FROM availability WHERE sku IN (SELECT value FROM gantry_array($1))", skus)) {
    const auto at = said.find(row.get<std::string_view>(0));
    if (at != said.end() && at->second == row.get<bool>(1)) said.erase(at);
  }
  for (const auto& [sku, in_stock] : said) {
    tx.exec(
        "INSERT INTO availability (sku, in_stock) VALUES ($1, $2) "
        "ON CONFLICT (sku) DO UPDATE SET in_stock = excluded.in_stock",
        sku, in_stock);
  }
  return gantry::ok;
}

void forget_stock(gantry::tx& tx) { tx.exec("DELETE FROM availability"); }

}  // namespace catalog
