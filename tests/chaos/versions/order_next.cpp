// A later version of order: one route more.
#include "plugin.hpp"

namespace {

class next_order : public shop::order::order_plugin {
 public:
  void setup(gantry::setup& s) override {
    shop::order::order_plugin::setup(s);
    s.get("/order/version", &next_order::version);
  }

 private:
  gantry::reply version(const gantry::request&, gantry::context&) {
    return gantry::json({{"version", GANTRY_PLUGIN_VERSION}});
  }
};

}  // namespace

GANTRY_PLUGIN(next_order, GANTRY_PLUGIN_VERSION)
