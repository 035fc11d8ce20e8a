// Throws while the file is being mapped, before the host has asked it anything.
#include <stdexcept>

__attribute__((constructor)) static void throw_at_once() { throw std::runtime_error("thrown while mapped"); }

#define BROKEN_PLUGIN
#include "broken.h"
