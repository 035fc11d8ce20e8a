#include "catalog.hpp"

GANTRY_PLUGIN(catalog_plugin, "1.0.0")
