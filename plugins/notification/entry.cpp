// The symbol that the library exports.
#include "plugin.hpp"

using notification::notification_plugin;
GANTRY_PLUGIN(notification_plugin, "1.0.0")
