// A later version of inventory: one route more.
#include "inventory.hpp"

namespace {

class next_inventory : public inventory_plugin {
 public:
  void setup(gantry::setup& s) override {
    inventory_plugin::setup(s);
    s.get("/inventory/version", &next_inventory::version);
  }

 private:
  gantry::reply version(const gantry::request&, gantry::context&) {
    return gantry::json({{"version", GANTRY_PLUGIN_VERSION}});
  }
};

}  // namespace

GANTRY_PLUGIN(next_inventory, GANTRY_PLUGIN_VERSION)
