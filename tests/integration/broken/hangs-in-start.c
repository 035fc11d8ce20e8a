/* Does not come back from start. */
#define BROKEN_START broken_hang();
#define BROKEN_PLUGIN
#include "broken.h"
