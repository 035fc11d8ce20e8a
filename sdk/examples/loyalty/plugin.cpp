#include "loyalty.hpp"

GANTRY_PLUGIN(loyalty, "1.0.0")
