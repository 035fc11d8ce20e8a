/* Declares a route that its manifest does not have. */
#define BROKEN_SETUP return broken_route(self, "POST", "/broken/lies/more", broken_hello);
#define BROKEN_PLUGIN
#include "broken.h"
