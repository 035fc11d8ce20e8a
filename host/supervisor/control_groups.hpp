// Limits of child processes by the kernel's control groups, version 2: a group for each child below the one that this
// process is in, if that was delegated to it. As systemd does with Delegate=yes, and containers with a writable
// /sys/fs/cgroup.
// Owned by whoever starts the children. Thread: main.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "base/result.hpp"

namespace gantry::supervisor {

struct process_limits {
  std::uint64_t memory = 0;  // bytes; 0: none
  double cpu = 0;            // processors; 0: none
  bool any() const noexcept { return memory != 0 || cpu > 0; }
};

// Where this process's group is in the file system. not_found: there is no version 2 here, or no group of it.
result<std::filesystem::path> own_control_group();

class control_groups {
 public:
  // Moves this process into a group of its own below `own`, for a group that has others below it may have no processes,
  // and hands the controllers down. unsupported: the group is not ours to change, has other processes, or lacks a
  // controller; nothing has changed then.
  static result<control_groups> take(const std::filesystem::path& own);

  // Makes the group of a child, or changes its limits. io.
  result<std::filesystem::path> limit(const std::string& process, const process_limits& to) const;

 private:
  explicit control_groups(std::filesystem::path own) : own_(std::move(own)) {}
  std::filesystem::path own_;
};

// Moves this process into a group. io.
result<void> join_control_group(const std::filesystem::path& group);

}  // namespace gantry::supervisor
