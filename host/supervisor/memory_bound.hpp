// A bound of this process's memory where no control group sets one: looks at what is resident, and tells when it is too
// much. What the allocator has mapped and given back, and the stacks of threads, are no use of memory, so neither
// RLIMIT_AS nor RLIMIT_DATA measures what is meant; the latter is set far above the bound, for what grows faster than
// one looks.
// Owned by main. Thread: its own.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <thread>

namespace gantry::supervisor {

class memory_bound {
 public:
  // `beyond` is called with the bytes that were found, once, on the thread of this object.
  memory_bound(std::uint64_t bytes, std::function<void(std::uint64_t)> beyond);
  ~memory_bound();
  memory_bound(const memory_bound&) = delete;
  memory_bound& operator=(const memory_bound&) = delete;

 private:
  void look();

  const std::uint64_t bytes_;
  const std::function<void(std::uint64_t)> beyond_;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool ending_ = false;  // guarded by mutex_
  std::thread thread_;   // last: it uses what stands above
};

// What this process has in memory for itself, in bytes: without the files that it has mapped.
std::uint64_t resident_bytes();

}  // namespace gantry::supervisor
