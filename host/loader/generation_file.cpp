#include "loader/generation_file.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <utility>
#include <vector>

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
  int release() noexcept { return std::exchange(number_, -1); }

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

// Whether the file there is ours alone to change and has these bytes.
bool is_there(const std::filesystem::path& path, std::string_view bytes) {
  const descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  struct stat found = {};
  if (file.number() < 0 || ::fstat(file.number(), &found) != 0) return false;
  if (!S_ISREG(found.st_mode) || found.st_uid != ::geteuid() || (found.st_mode & (S_IWGRP | S_IWOTH)) != 0 ||
      (found.st_mode & S_IXUSR) == 0 || static_cast<std::uint64_t>(found.st_size) != bytes.size())
    return false;
  std::array<char, 64 * 1024> piece;
  while (!bytes.empty()) {
    const ssize_t got = ::read(file.number(), piece.data(), std::min(piece.size(), bytes.size()));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return false;
    const auto size = static_cast<std::size_t>(got);
    if (bytes.substr(0, size) != std::string_view(piece.data(), size)) return false;
    bytes.remove_prefix(size);
  }
  return true;
}

result<void> write_anew(const file_image& image, const std::filesystem::path& path, const descriptor& directory) {
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
  if (::fsync(directory.number()) != 0) return system_error(path.parent_path(), errno);
  return {};
}

// "<plugin>-<n>-<16 digits>.so"
bool is_copy_of(std::string_view name, std::string_view plugin) {
  constexpr std::string_view ending = ".so", decimal = "0123456789", hexadecimal = "0123456789abcdef";
  if (!name.starts_with(plugin) || !name.ends_with(ending)) return false;
  name.remove_prefix(plugin.size());
  name.remove_suffix(ending.size());
  if (name.size() < 19 || name.front() != '-') return false;
  const auto digest = name.substr(name.size() - 16);
  const auto number = name.substr(1, name.size() - 18);
  return name[name.size() - 17] == '-' && number.find_first_not_of(decimal) == std::string_view::npos &&
         digest.find_first_not_of(hexadecimal) == std::string_view::npos;
}

// A shared lock on it stands for a process that has it loaded.
bool is_in_use(const std::filesystem::path& path) {
  const descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  return file.number() < 0 || ::flock(file.number(), LOCK_EX | LOCK_NB) != 0;
}

}  // namespace

copy_in_use& copy_in_use::operator=(copy_in_use&& other) noexcept {
  if (this != &other) {
    if (file_ >= 0) ::close(file_);
    file_ = std::exchange(other.file_, -1);
  }
  return *this;
}

copy_in_use::~copy_in_use() {
  if (file_ >= 0) ::close(file_);
}

std::filesystem::path generation_path(const std::filesystem::path& state_dir, const std::string& plugin,
                                      std::uint64_t generation, const std::string& digest) {
  const std::string name = plugin + '-' + std::to_string(generation) + '-' + digest.substr(0, 16) + ".so";
  return std::filesystem::absolute(state_dir).lexically_normal() / "generations" / name;
}

result<copy_in_use> write_generation(const file_image& image, const std::filesystem::path& path) {
  const std::filesystem::path directory = path.parent_path();
  if (auto allowed = refuse_noexec(directory); !allowed) return allowed.failure();
  std::error_code code;
  std::filesystem::create_directories(directory, code);
  if (code) return error{errc::io, directory.string() + ": " + code.message()};
  const descriptor held(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (auto locked = lock(held, directory); !locked) return locked.failure();
  if (!is_there(path, image.bytes))
    if (auto written = write_anew(image, path, held); !written) return written.failure();
  // While the directory is held: who removes copies would take it for one that nobody uses.
  descriptor used(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (used.number() < 0 || ::flock(used.number(), LOCK_SH) != 0) return system_error(path, errno);
  return copy_in_use(used.release());
}

result<void> remove_copies(const std::filesystem::path& directory, const std::string& plugin, std::size_t spare,
                           const std::function<std::optional<std::set<std::string>>()>& named) {
  std::error_code code;
  if (!std::filesystem::is_directory(directory, code)) return {};
  const descriptor held(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (auto locked = lock(held, directory); !locked) return locked;
  const auto wanted = named();
  if (!wanted) return {};
  std::vector<std::pair<std::filesystem::file_time_type, std::filesystem::path>> free;
  for (std::filesystem::directory_iterator at(directory, code), end; !code && at != end; at.increment(code)) {
    const auto name = at->path().filename().string();
    std::error_code gone;
    const auto written = std::filesystem::last_write_time(at->path(), gone);
    if (!gone && is_copy_of(name, plugin) && !wanted->contains(name) && !is_in_use(at->path()))
      free.emplace_back(written, at->path());
  }
  if (code) return error{errc::io, directory.string() + ": " + code.message()};
  std::sort(free.rbegin(), free.rend());
  for (std::size_t i = spare; i < free.size(); ++i) {
    std::filesystem::remove(free[i].second.string() + ".minisig", code);
    if (!std::filesystem::remove(free[i].second, code) && code)
      return error{errc::io, free[i].second.string() + ": " + code.message()};
  }
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
