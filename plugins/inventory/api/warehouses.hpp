// Routes of warehouses. Stateless. Thread: pool; write functions run on the lane.
#pragma once

#include <gantry/plugin.hpp>

namespace inventory {

// GET /inventory/warehouses?page=&pageSize=: {"items":[{"warehouseId","name","createdAt"}],...}
gantry::reply list_warehouses(const gantry::request& q, gantry::context& ctx);

// POST /inventory/warehouses {"warehouseId","name"}: 201, 409 when the id is taken.
gantry::reply add_warehouse(const gantry::request& q, gantry::context& ctx);

}  // namespace inventory
