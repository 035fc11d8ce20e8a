#include "supervisor/memory_bound.hpp"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <chrono>
#include <fstream>
#include <string>
#include <string_view>

namespace gantry::supervisor {
namespace {

constexpr auto between_looks = std::chrono::milliseconds(20);

// Private and writable memory that is mapped, used or not: what RLIMIT_DATA counts.
std::uint64_t mapped_bytes() {
  std::ifstream status("/proc/self/status");
  std::uint64_t kib = 0;
  for (std::string word; status >> word;)
    if (word == "VmData:") {
      status >> kib;
      break;
    }
  return kib * 1024;
}

// Stacks of threads and what the allocator keeps are mapped and hardly used: a limit near the bound would hit them
// first.
constexpr std::uint64_t mapped_beside = std::uint64_t{1} << 30U;

void set_backstop(std::uint64_t bytes) {
  rlimit now{};
  if (getrlimit(RLIMIT_DATA, &now) != 0) return;
  const rlim_t wanted = mapped_bytes() + mapped_beside + 2 * bytes;
  if (now.rlim_cur != RLIM_INFINITY && now.rlim_cur <= wanted) return;
  now.rlim_cur = wanted;
  setrlimit(RLIMIT_DATA, &now);
}

}  // namespace

constexpr const char* statistics = "/proc/self/statm";

own_memory::own_memory() : kept_(open(statistics, O_RDONLY | O_CLOEXEC)) {
  struct stat about {};
  if (kept_ >= 0 && fstat(kept_, &about) == 0) inode_ = about.st_ino;
}

own_memory::~own_memory() {
  if (is_kept()) close(kept_);
}

// Plugin code may close what is not its own, and open another file under its number.
bool own_memory::is_kept() const {
  struct stat about {};
  return kept_ >= 0 && fstat(kept_, &about) == 0 && about.st_ino == inode_;
}

// Opened each time: plugin code that closes every descriptor must not blind it; nor must one that uses all there are.
std::uint64_t own_memory::private_resident_bytes() const {
  const int opened = open(statistics, O_RDONLY | O_CLOEXEC);
  const int file = opened >= 0 ? opened : is_kept() ? kept_ : -1;
  if (file < 0) return 0;
  std::array<char, 128> text{};
  const auto got = pread(file, text.data(), text.size(), 0);
  if (opened >= 0) close(opened);
  std::array<std::uint64_t, 3> pages{};  // mapped, resident, of that shared with files
  const char* at = text.data();
  const char* const end = text.data() + std::max<ssize_t>(got, 0);
  for (auto& one : pages) {
    const auto [stop, code] = std::from_chars(at, end, one);
    if (code != std::errc{}) return 0;
    at = stop == end ? end : stop + 1;
  }
  return (pages[1] - std::min(pages[1], pages[2])) * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
}

memory_bound::memory_bound(std::uint64_t bytes, std::function<void(std::uint64_t)> beyond)
    : bytes_(bytes), beyond_(std::move(beyond)) {
  set_backstop(bytes);
  thread_ = std::thread([this] { look(); });
}

memory_bound::~memory_bound() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  wake_.notify_all();
  thread_.join();
}

void memory_bound::look() {
  std::unique_lock lock(mutex_);
  while (!wake_.wait_for(lock, between_looks, [this] { return ending_; })) {
    const auto found = memory_.private_resident_bytes();
    if (found <= bytes_) continue;
    lock.unlock();
    beyond_(found);
    return;
  }
}

}  // namespace gantry::supervisor
