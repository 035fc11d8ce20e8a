// Lets an exception out of start.
#include <stdexcept>
#define BROKEN_START \
  if (self != nullptr) throw std::runtime_error("thrown in start");
#define BROKEN_PLUGIN
#include "broken.h"
