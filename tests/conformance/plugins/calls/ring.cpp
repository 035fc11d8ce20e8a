// Two plugins that call each other, which no topology may hold.
#include <gantry/plugin.hpp>

namespace {

class ring : public gantry::plugin {
 public:
  void setup(gantry::setup& s) override {
    s.calls(std::string_view(GANTRY_PLUGIN_ID) == "conf-ring-left" ? "conf-ring-right" : "conf-ring-left");
  }
};

}  // namespace

GANTRY_PLUGIN(ring, "1.0.0")
