#include "inventory.hpp"

#include <algorithm>

#include "api/warehouses.hpp"
#include "domain/times.hpp"
#include "events/publish.hpp"
#include "store/demo.hpp"

namespace {

constexpr std::string_view sweep_timer = "reservation-sweep";

constexpr std::string_view config_schema = R"({"type":"object","additionalProperties":false,"properties":{
"reservation_timeout":{"type":"string","pattern":"^[0-9]+(us|ms|s|m|h|d)$","default":"15m",
 "description":"how long stock is held for an order"},
"low_stock_threshold":{"type":"integer","minimum":0,"default":10,
 "description":"a SKU without its own threshold is low at this many available"},
"demo":{"type":"boolean","default":false,"description":"fill an empty store with stock of the demo catalogue"},
"demo_stock":{"type":"integer","minimum":0,"maximum":1000000000,"default":1000,"description":"quantity of each demo SKU"}}})";

std::int64_t reservation_timeout(const gantry::json_view& config) {
  const std::string_view text = config["reservation_timeout"].text_or("15m");
  const auto us = inventory::parse_duration(text);
  if (!us || *us == 0) {
    throw gantry::failure(GANTRY_INVALID, "reservation_timeout is " + std::string(text) + ", expected like 15m or 30s");
  }
  return *us;
}

}  // namespace

void inventory_plugin::setup(gantry::setup& s) {
  using inventory::stock_api;
  const auto stock = [this](auto fn) {
    return [this, fn](const gantry::request& q, gantry::context& ctx) { return ((*stock_).*fn)(q, ctx); };
  };
  s.get("/inventory/warehouses", inventory::list_warehouses);
  s.post("/inventory/warehouses", inventory::add_warehouse);
  s.post("/inventory/transfers", stock(&stock_api::transfer), gantry::idempotent);
  s.get("/inventory/alerts", stock(&stock_api::alerts));
  s.get("/inventory/{sku}", stock(&stock_api::show));
  s.put("/inventory/{sku}", stock(&stock_api::set));
  s.post("/inventory/{sku}/adjust", stock(&stock_api::adjust), gantry::idempotent);

  s.on("inventory-commands", "ReserveInventory",
       [this](const gantry::event& e, gantry::tx& tx) { return commands_->reserve(e, tx); });
  s.on("inventory-commands", "ReleaseInventory",
       [this](const gantry::event& e, gantry::tx& tx) { return commands_->release(e, tx); });
  s.on("inventory-commands", "CommitInventory",
       [this](const gantry::event& e, gantry::tx& tx) { return commands_->commit(e, tx); });
  inventory::declare_events(s);

  s.timer(sweep_timer, &inventory_plugin::sweep,
          [this](gantry::db&, const auto& rearm) { rearm("all", sweep_interval_); });
  s.config_schema(config_schema);
}

void inventory_plugin::start(gantry::start_context& ctx) {
  const gantry::json_view config = ctx.host().config();
  const bool postgres = ctx.host().driver() == "postgres";
  const std::int64_t timeout_us = reservation_timeout(config);
  const std::int64_t low_at = config["low_stock_threshold"].integer(10);
  commands_.emplace(postgres, timeout_us, low_at);
  stock_.emplace(postgres, low_at);
  sweep_interval_ = std::clamp(std::chrono::microseconds(timeout_us / 10), std::chrono::microseconds(100'000),
                               std::chrono::microseconds(5'000'000));

  if (!config["demo"].boolean()) return;
  const std::int64_t quantity = config["demo_stock"].integer(1'000);
  const std::size_t added = ctx.write([&](gantry::tx& tx) { return inventory::load_demo_stock(tx, quantity); });
  if (added > 0) ctx.host().log().info("Demo stock loaded", {{"skus", added}, {"quantity", quantity}});
}

void inventory_plugin::sweep(std::string_view key, gantry::tx& tx) {
  const bool more = commands_->sweep(tx);
  tx.arm(sweep_timer, key, more ? std::chrono::microseconds(0) : sweep_interval_);
}
