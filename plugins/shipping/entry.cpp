// The symbol that the library exports.
#include "plugin.hpp"

using shipping::shipping_plugin;
GANTRY_PLUGIN(shipping_plugin, "1.0.0")
