// Places where a test lets the process die as by a kill -9, to see what a start makes of it.
#pragma once

#include <string_view>

namespace gantry {

// Ends the process at once by SIGKILL when the environment variable GANTRY_FAULT_POINT, as it was at the first call, is
// this name; else does nothing. Not for paths that run for each event or request. Thread: any.
void fault_point(std::string_view name);

}  // namespace gantry
