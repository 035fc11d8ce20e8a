// Notes in the black box why the process ends, before it does: signals of faults, what is thrown to nobody, exit() from
// plugin code. Thread: main installs it, once; the handlers run on whichever thread is at fault.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "blackbox/box.hpp"

namespace gantry::blackbox {

// From here on until the end of the process, which `into` must outlive. Afterwards the default action follows as ever,
// so that a core dump is what it would have been. A build with sanitizers leaves signals to them.
void note_ends(box& into);

// Ends the process as abort() does, because of what the thread `tid` does. `frames`: its stack; none: it is the
// caller's, from `from` on.
[[noreturn]] void end_because(box& into, end_cause cause, std::uint32_t tid, std::span<const std::uint64_t> frames,
                              std::string_view text, const void* from = nullptr);

// Notes that the process is about to be ended because of what it does, whichever of those that are in plugin code now
// does it: each is a suspect. Who waits for the host is none. Ends nothing.
void note_suspects(box& into, end_cause cause, std::string_view text) noexcept;

// Notes that the caller ends the process by exit() or _exit(), called at `from`.
void note_exit_call(box& into, int code, const void* from) noexcept;

}  // namespace gantry::blackbox
