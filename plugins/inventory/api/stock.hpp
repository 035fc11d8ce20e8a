// Routes of stock: /inventory/{sku}, adjustments, transfers and alerts.
// Owned by the plugin, made by start(). Thread: pool; write functions run on the lane.
#pragma once

#include <cstdint>
#include <gantry/plugin.hpp>

namespace inventory {

class stock_api {
 public:
  stock_api(bool postgres, std::int64_t low_at) : postgres_(postgres), low_at_(low_at) {}

  // GET /inventory/{sku}: 200 with ETag, 404.
  gantry::reply show(const gantry::request& q, gantry::context& ctx) const;

  // PUT /inventory/{sku} {"onHand"} or {"warehouses":[{"warehouseId","onHand"}]}, both with "lowStockThreshold"?:
  // 200, 201 for a new SKU, 409 below what is reserved, 412 when If-Match is stale. A bare onHand is the new total; the
  // difference goes to the home warehouse, or is taken from where there is stock.
  gantry::reply set(const gantry::request& q, gantry::context& ctx) const;

  // POST /inventory/{sku}/adjust {"delta","warehouseId"?,"reason"?}: 200, 404, 409.
  gantry::reply adjust(const gantry::request& q, gantry::context& ctx) const;

  // POST /inventory/transfers {"sku","from","to","quantity"}: 200 with the stock, 404, 409.
  gantry::reply transfer(const gantry::request& q, gantry::context& ctx) const;

  // GET /inventory/alerts?page=&pageSize=: SKUs that are low now, the latest first.
  gantry::reply alerts(const gantry::request& q, gantry::context& ctx) const;

 private:
  bool postgres_;
  std::int64_t low_at_;
};

}  // namespace inventory
