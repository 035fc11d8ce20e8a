/* Was built for an ABI of the far future. */
#define BROKEN_ABI_MAJOR 99
#define BROKEN_PLUGIN
#include "broken.h"
