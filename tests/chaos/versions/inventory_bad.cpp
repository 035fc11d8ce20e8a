// Versions of inventory that must not come to stay. What each does wrong is set when it is compiled:
//   BAD_START, BAD_HEALTH  at the start; BAD_MIGRATION has nothing here, but a migration that can't run
//   BAD_LATER              from the request POST /inventory/turn-bad/{how} on: how is errors, health or abort
#include <atomic>
#include <cstdlib>
#include <stdexcept>

#include "inventory.hpp"

namespace {

class bad_inventory : public inventory_plugin {
 public:
  void setup(gantry::setup& s) override {
    inventory_plugin::setup(s);
    s.get("/inventory/version", &bad_inventory::version);
#ifdef BAD_LATER
    s.post("/inventory/turn-bad/{how}", &bad_inventory::turn_bad);
#endif
  }

  void start(gantry::start_context& ctx) override {
#ifdef BAD_START
    throw std::runtime_error("the warehouse does not answer");
#endif
    inventory_plugin::start(ctx);
  }

  void health() override {
#ifdef BAD_HEALTH
    throw std::runtime_error("the warehouse is on fire");
#endif
    if (sick_) throw std::runtime_error("the warehouse has caught fire");
  }

 private:
  gantry::reply version(const gantry::request&, gantry::context&) {
    if (failing_) throw std::runtime_error("the warehouse has lost its sign");
    return gantry::json({{"version", GANTRY_PLUGIN_VERSION}});
  }

  gantry::reply turn_bad(const gantry::request& q, gantry::context&) {
    const auto how = q.path("how");
    if (how == "abort") std::abort();
    sick_ = how == "health";
    failing_ = how == "errors";
    return gantry::ok({{"bad", how}});
  }

  std::atomic<bool> sick_{false};
  std::atomic<bool> failing_{false};
};

}  // namespace

GANTRY_PLUGIN(bad_inventory, GANTRY_PLUGIN_VERSION)
