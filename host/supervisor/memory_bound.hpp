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

// What this process has in memory for itself: without the files that it has mapped.
class own_memory {
 public:
  own_memory();
  ~own_memory();
  own_memory(const own_memory&) = delete;
  own_memory& operator=(const own_memory&) = delete;

  // In bytes, also while the process has no descriptor left. 0: the system does not say.
  std::uint64_t private_resident_bytes() const;

 private:
  bool is_kept() const;

  int kept_ = -1;  // for when none can be opened
  std::uint64_t inode_ = 0;
};

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
  const own_memory memory_;
  const std::function<void(std::uint64_t)> beyond_;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool ending_ = false;  // guarded by mutex_
  std::thread thread_;   // last: it uses what stands above
};

}  // namespace gantry::supervisor
