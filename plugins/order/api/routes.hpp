// The routes of the order service. Owned by the plugin; shared by the request workers. Thread: pool.
#pragma once

#include "domain/flow.hpp"
#include "domain/pricing.hpp"
#include "events/progress.hpp"
#include "gantry/plugin.hpp"

namespace shop::order {

class order_routes {
 public:
  // Both must outlive this.
  order_routes(const order_flow& flow, order_progress& progress) : flow_(flow), progress_(progress) {}

  gantry::reply place(const gantry::request& request, gantry::context& ctx);
  gantry::reply get(const gantry::request& request, gantry::context& ctx);
  gantry::reply list(const gantry::request& request, gantry::context& ctx);
  gantry::reply cancel(const gantry::request& request, gantry::context& ctx);
  gantry::reply history(const gantry::request& request, gantry::context& ctx);

 private:
  const order_flow& flow_;
  order_progress& progress_;
};

}  // namespace shop::order
