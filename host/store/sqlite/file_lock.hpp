// Keeps a second process away from a database: `<file>.lock`, held by flock, with the pid of the owner inside.
// The file stays when the lock is released; removing it would race with the next owner.
#pragma once

#include <filesystem>

#include "base/result.hpp"

namespace gantry::store::sqlite {

class file_lock {
 public:
  // conflict: somebody holds it (the text names the process). io: the operating system refused.
  static result<file_lock> acquire(const std::filesystem::path& file);

  file_lock(file_lock&& other) noexcept;
  file_lock& operator=(file_lock&&) = delete;
  ~file_lock();

 private:
  explicit file_lock(int descriptor) noexcept : descriptor_(descriptor) {}
  int descriptor_;
};

}  // namespace gantry::store::sqlite
