// What plugin code must not do to the process that it runs in, noticed at the moment when it does it: closing the
// host's descriptors, and ending the process. The program has functions of its own under the C library's names for
// that; they do what those do, for everybody else. Thread: main installs it; any.
#pragma once

#include "blackbox/box.hpp"

namespace gantry::blackbox {

// From here on. Builds with sanitizers keep theirs.
void guard_process(box& of);

// Whether the box's own descriptor is what it was. It is the lowest that the host opens: who closes all that there are
// closes this one too. [any]
bool descriptors_are_whole() noexcept;

}  // namespace gantry::blackbox
