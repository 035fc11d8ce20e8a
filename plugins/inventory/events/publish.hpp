// The events of inventory, and the alerts that go with changes of stock.
// Every function runs inside the caller's transaction.
#pragma once

#include <cstdint>
#include <gantry/plugin.hpp>
#include <string_view>
#include <vector>

#include "domain/lines.hpp"

namespace inventory {

inline constexpr std::string_view topic = "inventory-events";

// Declares what this plugin emits.
void declare_events(gantry::setup& s);

// Answers to the saga; `lines` is JSON as lines_text makes it.
void tell_lines(gantry::tx& tx, std::string_view type, std::string_view order_id, std::string_view lines);
void tell_rejected(gantry::tx& tx, std::string_view order_id, std::string_view reason, std::string_view shortages);
void tell_commit_failed(gantry::tx& tx, std::string_view order_id, std::string_view reason);

// [{"sku","requested","available"}]
std::string shortages_text(const std::vector<shortage>& shortages);

// StockLevelChanged, keyed by the SKU. `cause` is optional: why a person changed it.
void tell_stock(gantry::tx& tx, std::string_view sku, std::int64_t on_hand, std::int64_t reserved,
                std::string_view cause = {});

// A stock figure with the threshold that applies to it.
struct mark {
  std::int64_t available = 0;
  std::int64_t threshold = 0;
};

// Raises or clears the SKU's alert when the change crossed the threshold; LowStockAlert goes out once per crossing.
void tell_crossing(gantry::tx& tx, std::string_view sku, const mark& before, const mark& after);

}  // namespace inventory
