/* Wants a route that the shop has. */
#define BROKEN_SETUP return broken_route(self, "GET", "/orders/{number}", broken_hello);
#define BROKEN_PLUGIN
#include "broken.h"
