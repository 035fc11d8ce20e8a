/* Exports its entry under another name. */
#define BROKEN_SYMBOL gantry_plug
#define BROKEN_PLUGIN
#include "broken.h"
