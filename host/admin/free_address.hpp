// Whether this machine lets somebody listen at an address. Thread: any.
#pragma once

#include <string>

namespace gantry::admin {

// True: another socket listens there. Everything else, as an address that is no address of this machine, is for whoever
// listens there to say.
bool is_taken(const std::string& address);

}  // namespace gantry::admin
