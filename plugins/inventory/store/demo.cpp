#include "store/demo.hpp"

#include <string>
#include <vector>

#include "events/publish.hpp"

namespace inventory {
namespace {

constexpr int demo_skus = 1'000;

std::string demo_sku(int number) {
  const std::string digits = std::to_string(number);
  return "SKU-" + std::string(4 - std::min<std::size_t>(4, digits.size()), '0') + digits;
}

}  // namespace

std::size_t load_demo_stock(gantry::tx& tx, std::int64_t quantity) {
  if (tx.one("SELECT 1 FROM stock LIMIT 1")) return 0;
  tx.exec(
      "INSERT INTO warehouses (warehouse_id, name, created_at) VALUES ('west', 'West warehouse', $1) "
      "ON CONFLICT (warehouse_id) DO NOTHING",
      tx.now());
  const std::int64_t in_west = quantity / 4;
  std::vector<std::string> skus;
  skus.reserve(demo_skus);
  for (int i = 1; i <= demo_skus; ++i) skus.push_back(demo_sku(i));

  std::vector<gantry::value> stock;
  std::vector<gantry::value> west;
  for (const std::string& sku : skus) {
    stock.insert(stock.end(), {sku, quantity, quantity - in_west});
    west.insert(west.end(), {sku, in_west});
  }
  tx.exec_many(
      "INSERT INTO stock (sku, on_hand, reserved, home, home_on_hand, version) VALUES ($1, $2, 0, 'main', $3, 1)",
      stock, 3);
  tx.exec_many("INSERT INTO shelves (sku, warehouse_id, on_hand) VALUES ($1, 'west', $2)", west, 2);
  for (const std::string& sku : skus) tell_stock(tx, sku, quantity, 0);
  return skus.size();
}

}  // namespace inventory
