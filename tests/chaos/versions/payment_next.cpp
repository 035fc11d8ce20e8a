// A later version of payment: one route more.
#include "plugin.hpp"

namespace {

class next_payment : public shop::payment::payment_plugin {
 public:
  void setup(gantry::setup& s) override {
    shop::payment::payment_plugin::setup(s);
    s.get("/payment/version", &next_payment::version);
  }

 private:
  gantry::reply version(const gantry::request&, gantry::context&) {
    return gantry::json({{"version", GANTRY_PLUGIN_VERSION}});
  }
};

}  // namespace

GANTRY_PLUGIN(next_payment, GANTRY_PLUGIN_VERSION)
