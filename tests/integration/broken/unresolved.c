/* Needs a function that nobody has. */
extern void gantry_function_that_nobody_has(void);
#define BROKEN_START gantry_function_that_nobody_has();
#define BROKEN_PLUGIN
#include "broken.h"
