#include "bus/local/file_system.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

namespace gantry::bus::local {
namespace {

error system_error_of(const std::string& what, int number) {
  const std::string text = what + ": " + std::generic_category().message(number);
  if (number == ENOSPC || number == EDQUOT) return {errc::unavailable, text + "; free space on this disk"};
  if (number == ENOENT) return {errc::not_found, text};
  return {errc::io, text};
}

class descriptor {
 public:
  explicit descriptor(int fd) : fd_(fd) {}
  descriptor(const descriptor&) = delete;
  descriptor& operator=(const descriptor&) = delete;
  ~descriptor() { ::close(fd_); }
  int get() const noexcept { return fd_; }

 private:
  int fd_;
};

class machine_file final : public file {
 public:
  machine_file(int fd, std::string path) : fd_(fd), path_(std::move(path)) {}

  result<std::size_t> pwrite(std::string_view bytes, std::uint64_t at) override {
    ssize_t n = -1;
    do n = ::pwrite(fd_.get(), bytes.data(), bytes.size(), static_cast<off_t>(at));
    while (n < 0 && (errno == EINTR || (errno == EINVAL && write_through_the_page_cache())));
    if (n < 0) return system_error_of("can't write to " + path_, errno);
    return static_cast<std::size_t>(n);
  }

  result<std::size_t> pread(char* to, std::size_t bytes, std::uint64_t at) override {
    ssize_t n = -1;
    do n = ::pread(fd_.get(), to, bytes, static_cast<off_t>(at));
    while (n < 0 && errno == EINTR);
    if (n < 0) return system_error_of("can't read " + path_, errno);
    return static_cast<std::size_t>(n);
  }

  void prefetch(std::uint64_t at, std::uint64_t bytes) override {
    // Only advice: without it the read waits longer.
    static_cast<void>(
        ::posix_fadvise(fd_.get(), static_cast<off_t>(at), static_cast<off_t>(bytes), POSIX_FADV_WILLNEED));
  }

  result<void> fdatasync() override {
    if (::fdatasync(fd_.get()) != 0) return system_error_of("can't sync " + path_, errno);
    return {};
  }

  result<void> truncate(std::uint64_t size) override {
    if (::ftruncate(fd_.get(), static_cast<off_t>(size)) != 0) return system_error_of("can't resize " + path_, errno);
    return {};
  }

 private:
  // For disks whose blocks are larger than ours. False when it was so already.
  bool write_through_the_page_cache() const {
    const int flags = ::fcntl(fd_.get(), F_GETFL);
    return flags >= 0 && (flags & O_DIRECT) != 0 && ::fcntl(fd_.get(), F_SETFL, flags & ~O_DIRECT) == 0;
  }

  descriptor fd_;
  std::string path_;
};

class machine_lock final : public directory_lock {
 public:
  explicit machine_lock(int fd) : fd_(fd) {}

 private:
  descriptor fd_;
};

class machine_file_system final : public file_system {
 public:
  result<std::unique_ptr<file>> open(const std::filesystem::path& path, open_mode mode) override {
    int flags = O_CLOEXEC;
    switch (mode) {
      case open_mode::read:
        flags |= O_RDONLY;
        break;
      case open_mode::write:
        flags |= O_RDWR;
        break;
      case open_mode::create:
        flags |= O_RDWR | O_CREAT | O_TRUNC;
        break;
      case open_mode::direct:
        flags |= O_RDWR | O_DIRECT;
        break;
    }
    int fd = ::open(path.c_str(), flags, 0640);
    if (fd < 0 && errno == EINVAL && mode == open_mode::direct) fd = ::open(path.c_str(), flags & ~O_DIRECT);
    if (fd < 0) return system_error_of("can't open " + path.string(), errno);
    return std::unique_ptr<file>(std::make_unique<machine_file>(fd, path.string()));
  }

  result<void> rename(const std::filesystem::path& from, const std::filesystem::path& to) override {
    if (::rename(from.c_str(), to.c_str()) != 0)
      return system_error_of("can't rename " + from.string() + " to " + to.string(), errno);
    return {};
  }

  result<void> unlink(const std::filesystem::path& path) override {
    if (::unlink(path.c_str()) != 0) return system_error_of("can't remove " + path.string(), errno);
    return {};
  }

  result<void> make_directory(const std::filesystem::path& path) override {
    std::error_code failed;
    std::filesystem::create_directories(path, failed);
    if (failed) return system_error_of("can't make the directory " + path.string(), failed.value());
    return {};
  }

  result<void> sync_directory(const std::filesystem::path& path) override {
    const int fd = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return system_error_of("can't open the directory " + path.string(), errno);
    const descriptor directory(fd);
    if (::fsync(fd) != 0) return system_error_of("can't sync the directory " + path.string(), errno);
    return {};
  }

  result<std::vector<listed_file>> list(const std::filesystem::path& directory) override {
    std::error_code failed;
    std::vector<listed_file> out;
    std::filesystem::directory_iterator entry(directory, failed);
    const std::filesystem::directory_iterator none;
    for (; !failed && entry != none; entry.increment(failed)) {
      if (!entry->is_regular_file(failed) || failed) continue;
      out.push_back({entry->path().filename().string(), entry->file_size(failed)});
    }
    if (failed) return system_error_of("can't list the directory " + directory.string(), failed.value());
    return out;
  }

  result<std::unique_ptr<directory_lock>> lock(const std::filesystem::path& path) override {
    const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0640);
    if (fd < 0) return system_error_of("can't open " + path.string(), errno);
    auto held = std::make_unique<machine_lock>(fd);
    if (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
      if (errno != EWOULDBLOCK) return system_error_of("can't lock " + path.string(), errno);
      char owner[16] = {};
      const ssize_t n = ::pread(fd, owner, sizeof owner - 1, 0);
      const std::string pid = n > 0 ? std::string(owner, static_cast<std::size_t>(n)) : "unknown";
      return error{errc::conflict, "the journal in " + path.parent_path().string() + " is open in process " + pid +
                                       ", process " + std::to_string(::getpid()) +
                                       " can't open it too: stop the other one, or give each host its own bus path"};
    }
    const std::string pid = std::to_string(::getpid());
    if (::ftruncate(fd, 0) != 0 || ::pwrite(fd, pid.data(), pid.size(), 0) < 0)
      return system_error_of("can't write to " + path.string(), errno);
    return std::unique_ptr<directory_lock>(std::move(held));
  }
};

}  // namespace

file_system& machine_files() noexcept {
  static machine_file_system instance;
  return instance;
}

result<void> write_all(file& to, std::string_view bytes, std::uint64_t at) {
  while (!bytes.empty()) {
    auto n = to.pwrite(bytes, at);
    if (!n) return std::move(n).failure();
    if (*n == 0) return error{errc::io, "a write took no bytes"};
    bytes.remove_prefix(*n);
    at += *n;
  }
  return {};
}

result<void> write_blocks(file& direct, file& plain, std::string_view blocks, std::uint64_t at) {
  while (!blocks.empty()) {
    auto n = direct.pwrite(blocks, at);
    if (!n) return std::move(n).failure();
    const auto whole = *n / block_bytes * block_bytes;
    if (whole == 0) return write_all(plain, blocks, at);
    blocks.remove_prefix(whole);
    at += whole;
  }
  return {};
}

result<void> read_all(file& from, char* to, std::size_t bytes, std::uint64_t at) {
  while (bytes != 0) {
    auto n = from.pread(to, bytes, at);
    if (!n) return std::move(n).failure();
    if (*n == 0)
      return error{errc::corrupt, "the file ends at " + std::to_string(at) + ", " + std::to_string(bytes) +
                                      " bytes before what was expected"};
    to += *n;
    bytes -= *n;
    at += *n;
  }
  return {};
}

}  // namespace gantry::bus::local
