// Which SKUs can be bought, as inventory says. A projection: the table availability follows from inventory-events
// alone. Stateless. Thread: lane.
#pragma once

#include <gantry/plugin.hpp>
#include <span>

namespace catalog {

// StockLevelChanged, a batch at once. Rows are touched only where the flag flips: many orders of one SKU cost one read.
gantry::outcome follow_stock(std::span<const gantry::event> events, gantry::tx& tx);

// Clears the projection before a replay.
void forget_stock(gantry::tx& tx);

}  // namespace catalog
