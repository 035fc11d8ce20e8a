#include <gtest/gtest.h>
#include <rapidcheck.h>
// Needs gtest before it.
#include <rapidcheck/gtest.h>

#include <map>

#include "fixture.hpp"

namespace inventory {
namespace {

constexpr int orders = 12;

struct books {
  std::map<std::string, std::int64_t> initial{{"A", 7}, {"B", 4}, {"C", 9}};
};

// What must hold after every step, whatever the steps were.
void check(testing::warehouse_floor& floor, const books& begin) {
  RC_ASSERT(
      floor.host.query("SELECT 1 FROM stock WHERE reserved < 0 OR reserved > on_hand OR home_on_hand < 0").empty());
  RC_ASSERT(floor.host
                .query("SELECT 1 FROM stock s WHERE on_hand <> home_on_hand + "
                       "COALESCE((SELECT SUM(h.on_hand) FROM shelves h WHERE h.sku = s.sku), 0)")
                .empty());
  std::map<std::string, std::int64_t> held;
  std::map<std::string, std::int64_t> gone;
  for (const auto& row : floor.host.query("SELECT state, lines FROM reservations WHERE state IN (1, 2)")) {
    for (const line& each : parse_lines(row[1])) (row[0] == "1" ? held : gone)[each.sku] += each.quantity;
  }
  for (const auto& row : floor.host.query("SELECT sku, on_hand, reserved FROM stock")) {
    RC_ASSERT(std::stoll(row[2]) == held[row[0]]);
    RC_ASSERT(begin.initial.at(row[0]) == std::stoll(row[1]) + gone[row[0]]);
  }
}

RC_GTEST_PROP(Oversell, NeverHappens, ()) {
  testing::warehouse_floor floor(R"({"reservation_timeout":"60s","low_stock_threshold":2})");
  floor.host.request("POST", "/inventory/warehouses", R"({"warehouseId":"east","name":"East"})");
  floor.put("A", R"({"onHand":7})");
  floor.put("B", R"({"warehouses":[{"warehouseId":"main","onHand":1},{"warehouseId":"east","onHand":3}]})");
  floor.put("C", R"({"warehouses":[{"warehouseId":"east","onHand":0},{"warehouseId":"main","onHand":9}]})");
  const books begin;

  std::vector<std::string> ids;
  for (int i = 0; i < orders; ++i) ids.push_back(i % 4 == 3 ? "PO-" + std::to_string(i) : floor.order(i));
  const int steps = *rc::gen::inRange(1, 40);
  for (int i = 0; i < steps; ++i) {
    const std::string& id = ids[*rc::gen::inRange<std::size_t>(0, orders)];
    switch (*rc::gen::inRange(0, 8)) {
      case 0:
      case 1:
      case 2:
      case 3: {
        std::vector<line> lines;
        for (const char* sku : {"C", "A", "B"}) {
          if (*rc::gen::arbitrary<bool>()) lines.push_back({sku, *rc::gen::inRange<std::int64_t>(1, 6)});
        }
        floor.reserve(id, lines);
        break;
      }
      case 4:
        floor.release(id);
        break;
      case 5:
      case 6:
        floor.commit(id);
        break;
      default:
        floor.host.advance(std::chrono::seconds(*rc::gen::inRange(1, 50)));
    }
    check(floor, begin);
  }

  // Whatever is still held ends by itself.
  floor.host.advance(std::chrono::minutes(5));
  check(floor, begin);
  RC_ASSERT(floor.host.query("SELECT 1 FROM reservations WHERE state = 1").empty());
  RC_ASSERT(floor.host.query("SELECT 1 FROM stock WHERE reserved <> 0").empty());
}

}  // namespace
}  // namespace inventory
