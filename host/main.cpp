#include "cli/commands.hpp"

// jemalloc's: large pieces come from a thread's own arena like all others, so that what a plugin hands over to its next
// generation finds the pages that were made ready for it (lifecycle/state_room). Other allocators do not look here.
extern "C" {
extern const char* malloc_conf;
const char* malloc_conf = "oversize_threshold:0";
}

int main(int argc, char** argv) { return gantry::cli::main(argc, argv); }
