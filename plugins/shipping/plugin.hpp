// The shipping plugin's class; apart from entry.cpp, so that tests can make one.
// Owned by the host. Members are written by start and only read afterwards. Thread: any.
#pragma once

#include <optional>

#include <gantry/plugin.hpp>

#include "config/settings.hpp"
#include "domain/carrier.hpp"

namespace shipping {

class shipping_plugin final : public gantry::plugin {
 public:
  void setup(gantry::setup& s) override;
  void start(gantry::start_context& ctx) override;

 private:
  settings settings_;
  std::optional<carrier_network> carriers_;
};

}  // namespace shipping
