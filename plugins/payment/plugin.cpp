#include "plugin.hpp"

using payment_plugin = shop::payment::payment_plugin;
GANTRY_PLUGIN(payment_plugin, "1.0.0")
