#include "rate_window.hpp"

GANTRY_PLUGIN(rate_window, GANTRY_PLUGIN_VERSION)
