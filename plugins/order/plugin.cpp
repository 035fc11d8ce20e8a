#include "plugin.hpp"

using order_plugin = shop::order::order_plugin;
GANTRY_PLUGIN(order_plugin, "1.0.0")
