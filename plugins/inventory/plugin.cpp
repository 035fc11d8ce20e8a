#include "inventory.hpp"

GANTRY_PLUGIN(inventory_plugin, "1.0.0")
