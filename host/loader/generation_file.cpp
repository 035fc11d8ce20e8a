#include "loader/generation_file.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>

namespace gantry::loader {
namespace {

error system_error(const std::filesystem::path& path, int code) {
  return {errc::io, path.string() + ": " + std::strerror(code)};
}

// Closes on every way out.
class descriptor {
 public:
  explicit descriptor(int number) : number_(number) {}
  descriptor(const descriptor&) = delete;
  descriptor& operator=(const descriptor&) = delete;
  ~descriptor() {
    if (number_ >= 0) ::close(number_);
  }
  int number() const noexcept { return number_; }

 private:
  int number_;
};

// Checked before anything is made, on the nearest directory that exists.
result<void> refuse_noexec(std::filesystem::path directory) {
  std::error_code code;
  while (!std::filesystem::exists(directory, code) && directory.has_relative_path())
    directory = directory.parent_path();
  struct statvfs system = {};
  if (::statvfs(directory.c_str(), &system) != 0) return system_error(directory, errno);
  if ((system.f_flag & ST_NOEXEC) == 0) return {};
  return error{errc::io, directory.string() +
                             ": its file system is mounted noexec, so no plugin can be loaded from there: put the "
                             "state directory elsewhere or remount it with exec"};
}

result<void> write_all(int file, std::string_view bytes, const std::filesystem::path& path) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(file, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return system_error(path, errno);
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  return {};
}

// Hosts that share a state directory write the same names: one after the other.
result<void> lock(const descriptor& directory, const std::filesystem::path& path) {
  if (directory.number() < 0) return system_error(path, errno);
  while (::flock(directory.number(), LOCK_EX) != 0)
    if (errno != EINTR) return system_error(path, errno);
  return {};
}

}  // namespace

std::filesystem::path generation_path(const std::filesystem::path& state_dir, const std::string& plugin,
                                      std::uint64_t generation, const std::string& digest) {
  const std::string name = plugin + '-' + std::to_string(generation) + '-' + digest.substr(0, 16) + ".so";
  return std::filesystem::absolute(state_dir).lexically_normal() / "generations" / name;
}

result<void> write_generation(const file_image& image, const std::filesystem::path& path) {
  const std::filesystem::path directory = path.parent_path();
  if (auto allowed = refuse_noexec(directory); !allowed) return allowed;
  std::error_code code;
  std::filesystem::create_directories(directory, code);
  if (code) return error{errc::io, directory.string() + ": " + code.message()};
  const descriptor held(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (auto locked = lock(held, directory); !locked) return locked;
  std::filesystem::path unfinished = path;
  unfinished += ".part";
  ::unlink(unfinished.c_str());
  {
    const descriptor file(::open(unfinished.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0500));
    if (file.number() < 0) return system_error(unfinished, errno);
    if (auto written = write_all(file.number(), image.bytes, unfinished); !written) {
      ::unlink(unfinished.c_str());
      return written;
    }
    if (::fsync(file.number()) != 0) return system_error(unfinished, errno);
  }
  if (::rename(unfinished.c_str(), path.c_str()) != 0) return system_error(path, errno);
  if (::fsync(held.number()) != 0) return system_error(directory, errno);
  return {};
}

bool is_mapped(const std::filesystem::path& path) {
  std::error_code code;
  std::filesystem::path real = std::filesystem::weakly_canonical(path, code);
  const std::string name = code ? path.string() : real.string();
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) {
    // A replaced file is listed with " (deleted)" behind its name.
    const std::size_t start = line.find('/');
    if (start != std::string::npos && line.compare(start, name.size(), name) == 0 &&
        (line.size() == start + name.size() || line[start + name.size()] == ' ')) {
      return true;
    }
  }
  return false;
}

}  // namespace gantry::loader
