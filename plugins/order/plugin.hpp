// The order service: takes orders and leads each through its saga. Wiring only.
// Owned by the host. Thread: as gantry::plugin says.
#pragma once

#include <optional>

#include "api/routes.hpp"
#include "domain/flow.hpp"
#include "events/progress.hpp"
#include "gantry/plugin.hpp"

namespace shop::order {

class order_plugin : public gantry::plugin {
 public:
  void setup(gantry::setup& s) override;
  void start(gantry::start_context& ctx) override;

 private:
  void declare_routes(gantry::setup& s);
  void declare_events(gantry::setup& s);

  std::optional<order_flow> flow_;
  std::optional<order_progress> progress_;
  std::optional<order_routes> routes_;
};

}  // namespace shop::order
