// A reply in the hands of the plugin that called, until it releases it.
// Thread: any.
#pragma once

#include "gantry/abi/call.h"
#include "runtime/reply.hpp"

namespace gantry::runtime {

// `out` then points into the reply, which lives until take_back().
void hand_over(reply&& answer, gantry_call_reply& out);
// Frees what was handed over, if anything was.
void take_back(gantry_call_reply& out) noexcept;

}  // namespace gantry::runtime
