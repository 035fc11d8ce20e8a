// The bus on one machine: a journal in a directory, shared by all topics of a process.
// Owned by app. Thread: any.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>

#include "base/clock.hpp"
#include "base/result.hpp"
#include "bus/bus.hpp"

namespace gantry::bus {

namespace local {
class file_system;
}

struct local_bus_options {
  std::filesystem::path directory;                // made when it isn't there
  std::chrono::microseconds sync_interval{5000};  // 0: sync as soon as something was appended
  std::uint64_t segment_bytes = 256U << 20;       // a file of the journal is about so large
  std::size_t memory_bytes = 32U << 20;           // for the newest records; half of it may wait to be written
  const clock* time = &system_clock();            // for append times and retention; outlives the bus
  local::file_system* files = nullptr;            // null: the machine's; outlives the bus
  std::chrono::milliseconds retention_check{30'000};
};

// Opens the journal, making it when it is new. Producers and consumers must be gone before the bus is. Neither may be
// destroyed while holding a lock that its callbacks take.
// conflict: another process, which the text names, has it open; corrupt: synced bytes are damaged, the text says
// where; unavailable: the disk is full; io.
result<std::unique_ptr<bus>> open_local_bus(const local_bus_options& options);

}  // namespace gantry::bus
