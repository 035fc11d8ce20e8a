/* Does not come back from stop. */
#define BROKEN_STOP broken_hang();
#define BROKEN_PLUGIN
#include "broken.h"
