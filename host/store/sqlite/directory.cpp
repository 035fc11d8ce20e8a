#include "store/sqlite/directory.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

namespace gantry::store::sqlite {

result<void> create_directories_durably(const std::filesystem::path& directory) {
  std::error_code code;
  if (directory.empty() || std::filesystem::is_directory(directory, code)) return {};
  if (auto above = create_directories_durably(directory.parent_path()); !above) return above;
  std::filesystem::create_directory(directory, code);
  if (code) return error{errc::io, "directory " + directory.string() + " can't be created: " + code.message()};
  return sync_directory(directory.parent_path());
}

result<void> sync_directory(const std::filesystem::path& directory) {
  const std::filesystem::path path = directory.empty() ? std::filesystem::path(".") : directory;
  const int descriptor = open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const int synced = descriptor < 0 ? -1 : fsync(descriptor);
  const int code = errno;
  if (descriptor >= 0) close(descriptor);
  if (synced == 0) return {};
  return error{errc::io, "directory " + path.string() + " can't be synced: " + std::generic_category().message(code)};
}

}  // namespace gantry::store::sqlite
