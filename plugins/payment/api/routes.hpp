// The routes of the payment service. Owned by the plugin; shared by the request workers. Thread: pool.
#pragma once

#include "api/config.hpp"
#include "events/cashier.hpp"
#include "gantry/plugin.hpp"

namespace shop::payment {

class payment_routes {
 public:
  // The cashier must outlive this.
  payment_routes(cashier& cashier, webhook_settings webhooks) : cashier_(cashier), webhooks_(std::move(webhooks)) {}

  gantry::reply get(const gantry::request& request, gantry::context& ctx);
  gantry::reply list(const gantry::request& request, gantry::context& ctx);
  gantry::reply refund(const gantry::request& request, gantry::context& ctx);
  gantry::reply webhook(const gantry::request& request, gantry::context& ctx);

 private:
  cashier& cashier_;
  webhook_settings webhooks_;
};

}  // namespace shop::payment
