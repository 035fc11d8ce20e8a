// The payment service: charges orders through a provider, and pays back. Wiring only.
// Owned by the host. Thread: as gantry::plugin says.
#pragma once

#include <optional>

#include "api/routes.hpp"
#include "events/cashier.hpp"
#include "gantry/plugin.hpp"

namespace shop::payment {

class payment_plugin : public gantry::plugin {
 public:
  void setup(gantry::setup& s) override;
  void start(gantry::start_context& ctx) override;

 private:
  void declare_jobs(gantry::setup& s);

  std::optional<cashier> cashier_;
  std::optional<payment_routes> routes_;
};

}  // namespace shop::payment
