// Inventory: stock per warehouse, reservations, alerts. See README.md.
// Handlers run on lanes and request workers, side by side; after start() nothing in here changes.
#pragma once

#include <cstdint>
#include <gantry/plugin.hpp>
#include <optional>

#include "api/stock.hpp"
#include "events/commands.hpp"

class inventory_plugin : public gantry::plugin {
 public:
  void setup(gantry::setup& s) override;
  void start(gantry::start_context& ctx) override;

 private:
  void sweep(std::string_view key, gantry::tx& tx);

  std::optional<inventory::commands> commands_;
  std::optional<inventory::stock_api> stock_;
  std::chrono::microseconds sweep_interval_{};
};
