// Points for confirmed orders: one for each whole unit of currency.
// Owns the table `points`. Handlers run on lanes and request workers.
#pragma once

#include <gantry/plugin.hpp>

class loyalty : public gantry::plugin {
 public:
  void setup(gantry::setup& s) override;

  // GET /points/{customer} -> {"customer","points"}; 404 for a customer without any.
  gantry::reply points(const gantry::request& q, gantry::context& ctx);

  // OrderConfirmed: adds points and emits PointsAwarded.
  gantry::outcome award(const gantry::event& e, gantry::tx& tx);
};
