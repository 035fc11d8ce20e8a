// Demo stock for the demo catalogue's SKUs. Thread: main, inside start().
#pragma once

#include <cstdint>
#include <gantry/plugin.hpp>

namespace inventory {

// Fills an empty store with `quantity` of SKU-0001 to SKU-1000, three quarters in the warehouse `main` and the rest in
// `west`, and tells everybody. Does nothing when there is any stock. Returns the number of SKUs added.
std::size_t load_demo_stock(gantry::tx& tx, std::int64_t quantity);

}  // namespace inventory
