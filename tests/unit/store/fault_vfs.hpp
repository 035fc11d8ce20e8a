// A SQLite VFS over the operating system's that can lose power, fail to sync and run out of space.
//
// It keeps the bytes that every unsynced write replaced. A power cut puts them back, newest first, so that the files
// hold what had been synced. Works for databases and write-ahead logs alike. Owned by a test; outlives every
// connection on it. Thread: any.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

namespace gantry::testing {

class fault_vfs {
 public:
  // Registers the VFS under `name`, which sqlite_options::vfs then takes.
  explicit fault_vfs(std::string name = "gantry_fault");
  fault_vfs(const fault_vfs&) = delete;
  fault_vfs& operator=(const fault_vfs&) = delete;
  ~fault_vfs();

  const char* name() const noexcept;

  // Drops every write that wasn't synced, but for the oldest `surviving`, and fails all use of the open files. Close
  // what is open, then call power_on().
  void power_cut(std::size_t surviving = 0);
  void power_on();

  // The next sync fails; what it would have made durable stays unsynced.
  void fail_next_sync();

  // The next write to a write-ahead log fails with half of its bytes on the disk.
  void tear_next_log_write();

  // Files may grow by `bytes` more in all; then the disk is full.
  void limit_growth(std::int64_t bytes);
  void lift_limit();

  // Since the start.
  std::uint64_t syncs() const;
  std::uint64_t log_writes() const;  // to write-ahead logs
  // Writes that a power cut would drop now.
  std::size_t unsynced_writes() const;

  struct disk;

 private:
  std::unique_ptr<disk> disk_;
};

}  // namespace gantry::testing
