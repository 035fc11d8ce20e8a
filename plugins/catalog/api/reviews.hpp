// Routes of reviews: one per customer and product. Owned by the plugin. Thread: pool; write functions run on the lane.
#pragma once

#include <gantry/plugin.hpp>

#include "events/publish.hpp"

namespace catalog {

class reviews_api {
 public:
  explicit reviews_api(publisher& events) : events_(events) {}

  // GET /catalog/products/{id}/reviews?page=&pageSize=: the latest first.
  gantry::reply list(const gantry::request& q, gantry::context& ctx);

  // POST /catalog/products/{id}/reviews {"customerId","rating","title"?,"text"?}: 201, 404; 409 for a second one.
  gantry::reply add(const gantry::request& q, gantry::context& ctx);

 private:
  publisher& events_;
};

}  // namespace catalog
