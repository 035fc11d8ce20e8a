// Routes of the category tree. Stateless. Thread: pool; write functions run on the lane.
#pragma once

#include <gantry/plugin.hpp>

namespace catalog {

// GET /catalog/categories: {"items":[{"categoryId","name","parentId","version","children":[...]}]}, sorted by name.
gantry::reply category_tree(const gantry::request& q, gantry::context& ctx);

// GET /catalog/categories/{id}: 200 with ETag, 404.
gantry::reply show_category(const gantry::request& q, gantry::context& ctx);

// POST /catalog/categories {"categoryId","name","parentId"?}: 201, 409 when the id is taken, 422 for a bad parent.
gantry::reply create_category(const gantry::request& q, gantry::context& ctx);

// PUT /catalog/categories/{id} {"name","parentId"?}: 200, 404, 412; 422 when it would lie below itself.
gantry::reply replace_category(const gantry::request& q, gantry::context& ctx);

// DELETE /catalog/categories/{id}: 204, 404, 412; 409 while categories or products hang on it.
gantry::reply remove_category(const gantry::request& q, gantry::context& ctx);

}  // namespace catalog
