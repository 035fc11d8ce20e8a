#include "base/replace_file.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>

namespace gantry {
namespace {

error failed(const std::filesystem::path& path, int code) {
  return {errc::io, path.string() + ": " + std::strerror(code)};
}

// Opens, makes durable, closes.
result<void> sync_path(const std::filesystem::path& path, int flags) {
  const int file = ::open(path.c_str(), flags | O_CLOEXEC);
  if (file < 0) return failed(path, errno);
  const int done = ::fsync(file);
  const int code = errno;
  ::close(file);
  if (done != 0) return failed(path, code);
  return {};
}

}  // namespace

result<void> replace_file(const std::filesystem::path& path, std::string_view content) {
  std::error_code code;
  std::filesystem::create_directories(path.parent_path(), code);
  if (code) return error{errc::io, path.parent_path().string() + ": " + code.message()};
  auto unfinished = path;
  unfinished += ".part";
  {
    std::ofstream out(unfinished, std::ios::binary | std::ios::trunc);
    out.write(content.data(), static_cast<std::streamsize>(content.size()));
    out.flush();
    if (!out) return error{errc::io, unfinished.string() + " can't be written"};
  }
  if (auto done = sync_path(unfinished, O_RDONLY); !done) return done;
  if (::rename(unfinished.c_str(), path.c_str()) != 0) return failed(path, errno);
  return sync_path(path.parent_path(), O_RDONLY | O_DIRECTORY);
}

}  // namespace gantry
