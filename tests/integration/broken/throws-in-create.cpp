// Lets an exception out of create.
#include <stdexcept>
#define BROKEN_CREATE \
  if (host != nullptr) throw std::runtime_error("thrown in create");
#define BROKEN_PLUGIN
#include "broken.h"
