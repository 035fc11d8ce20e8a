#include "store/sqlite/file_lock.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <string>
#include <system_error>
#include <utility>

namespace gantry::store::sqlite {
namespace {

std::string reason(int code) { return std::generic_category().message(code); }

std::string owner_of(int descriptor) {
  std::array<char, 32> text{};
  const ssize_t size = pread(descriptor, text.data(), text.size() - 1, 0);
  std::string owner(text.data(), size > 0 ? static_cast<std::size_t>(size) : 0);
  while (!owner.empty() && owner.back() == '\n') owner.pop_back();
  return owner.empty() ? "another process" : "process " + owner;
}

}  // namespace

result<file_lock> file_lock::acquire(const std::filesystem::path& file) {
  const std::string path = file.string() + ".lock";
  const int descriptor = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0640);
  if (descriptor < 0) return error{errc::io, path + " can't be opened: " + reason(errno)};
  file_lock lock(descriptor);
  if (flock(descriptor, LOCK_EX | LOCK_NB) != 0) {
    const int code = errno;
    if (code != EWOULDBLOCK) return error{errc::io, path + " can't be locked: " + reason(code)};
    return error{errc::conflict, file.string() + " is open in " + owner_of(descriptor) +
                                     "; a database belongs to one process: stop that one or name another file"};
  }
  const std::string pid = std::to_string(getpid()) + "\n";
  if (ftruncate(descriptor, 0) != 0 || pwrite(descriptor, pid.data(), pid.size(), 0) < 0) {
    return error{errc::io, path + " can't be written: " + reason(errno)};
  }
  return lock;
}

file_lock::file_lock(file_lock&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}

file_lock::~file_lock() {
  if (descriptor_ >= 0) close(descriptor_);
}

}  // namespace gantry::store::sqlite
