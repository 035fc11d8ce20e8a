// Stacks: of a thread that is somewhere else, and as text for people.
// Thread: any; one thread's stack is asked for at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace gantry::blackbox {

// Sets up the signal that stack_of() sends. Once, before it.
void answer_stack_questions();

// Where the thread `tid` of this process is: addresses, innermost first, from the point where it was interrupted.
// Interrupts it; calls that the system does not go on with by itself (sleeping, polling) return early. Waits for at
// most 200 ms, and 2 s more for a thread that has begun to answer. Empty: it did not answer. One that has begun and
// does not come to an end is the last that is asked: it may still write where the next answer would be.
std::vector<std::uint64_t> stack_of(std::uint32_t tid);

struct frame {
  std::uint64_t address = 0;
  std::string module;        // file; empty: not known
  std::uint64_t offset = 0;  // of the address, as the file's own tables count it
  std::string function;      // with the offset in it; empty: not known
};

// `maps`: lines of /proc/<pid>/maps. Reads the files that they name.
std::vector<frame> name_frames(std::span<const std::uint64_t> addresses, std::string_view maps);

std::string to_text(const frame& f);
std::string hexadecimal(std::uint64_t number);  // "0x1f"

// The lines of /proc/self/maps that hold code.
std::string own_maps();

}  // namespace gantry::blackbox
