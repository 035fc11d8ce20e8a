/* Its manifest has this host's ABI, its entry another one. */
#define BROKEN_ABI_MAJOR 99
#define BROKEN_PLUGIN
#include "broken.h"
