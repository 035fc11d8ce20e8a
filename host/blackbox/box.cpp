#include "blackbox/box.hpp"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <new>
#include <thread>

namespace gantry::blackbox {
namespace {

constexpr std::size_t longest_name = 1024;
constexpr auto between_looks = std::chrono::milliseconds(5);

std::uint64_t next_number() {
  static std::atomic<std::uint64_t> last{0};
  return ++last;
}

#if !defined(GANTRY_SANITIZED)

constexpr std::size_t stack_bytes = 64 * 1024;

// Where a thread's handlers run, so that a stack that is full can be told of. Set up once a thread, gone with it.
class alternate_stack {
 public:
  alternate_stack() {
    at_ = mmap(nullptr, stack_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
    if (at_ == MAP_FAILED) return;
    stack_t which{};
    which.ss_sp = at_;
    which.ss_size = stack_bytes;
    sigaltstack(&which, nullptr);
  }
  ~alternate_stack() {
    if (at_ == MAP_FAILED) return;
    stack_t none{};
    none.ss_flags = SS_DISABLE;
    sigaltstack(&none, nullptr);
    munmap(at_, stack_bytes);
  }
  alternate_stack(const alternate_stack&) = delete;
  alternate_stack& operator=(const alternate_stack&) = delete;

 private:
  void* at_ = MAP_FAILED;
};

#endif

// Gives the slot back when the thread ends; the main thread's end comes after the box's.
struct held_slot {
  std::shared_ptr<page> of;
  slot* at = nullptr;
  ~held_slot() { give_back(); }
  void give_back() {
    if (at != nullptr) {
      leave(*at);
      // One that is suspected stays what it is.
      std::uint32_t mine = 1;
      at->used.compare_exchange_strong(mine, 0, std::memory_order_release);
    }
    at = nullptr;
    of.reset();
  }
};

thread_local held_slot held;

std::shared_ptr<page> make_page(void* at) {
  const std::shared_ptr<page> made(new (at) page, [](page* p) { munmap(p, sizeof(page)); });
  made->size = sizeof(page);
  made->pid = static_cast<std::uint32_t>(getpid());
  made->names_used = 2;  // the empty name's length
  made->magic = page_magic;
  return made;
}

error failed(const std::filesystem::path& file, const char* step) {
  return {errno == EWOULDBLOCK ? errc::conflict : errc::io, file.string() + ": " + step + ": " + std::strerror(errno)};
}

}  // namespace

box::box(std::shared_ptr<page> at, int file) : number_(next_number()), page_(std::move(at)), file_(file) {}

box::~box() {
  if (file_ >= 0) ::close(file_);
}

result<std::unique_ptr<box>> box::open(const std::filesystem::path& file) {
  std::error_code code;
  std::filesystem::create_directories(file.parent_path(), code);
  if (code) return error{errc::io, file.parent_path().string() + ": " + code.message()};
  const int opened = ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0640);
  if (opened < 0) return failed(file, "open");
  const auto refused = [&](const char* step) {
    auto why = failed(file, step);
    ::close(opened);
    return why;
  };
  // A page that a living process writes must not be cut off under it.
  if (::flock(opened, LOCK_EX | LOCK_NB) != 0) return refused("lock");
  if (::ftruncate(opened, 0) != 0 || ::ftruncate(opened, sizeof(page)) != 0) return refused("size");
  // Memory that the disk has no room for would end the process at its first store.
  if (const int full = ::posix_fallocate(opened, 0, sizeof(page)); full != 0) {
    errno = full;
    return refused("room");
  }
  void* const at = mmap(nullptr, sizeof(page), PROT_READ | PROT_WRITE, MAP_SHARED, opened, 0);
  if (at == MAP_FAILED) return refused("map");
  return std::unique_ptr<box>(new box(make_page(at), opened));
}

result<std::unique_ptr<box>> box::open_within(const std::filesystem::path& file, std::chrono::milliseconds at_most,
                                              const std::function<void()>& waits,
                                              const std::function<bool()>& gives_up) {
  auto opened = open(file);
  if (opened || opened.failure().code != errc::conflict) return opened;
  waits();
  const auto until = std::chrono::steady_clock::now() + at_most;
  do {
    if (gives_up && gives_up()) break;
    opened = open(file);
    if (opened || opened.failure().code != errc::conflict) break;
    std::this_thread::sleep_for(between_looks);
  } while (std::chrono::steady_clock::now() < until);
  return opened;
}

std::unique_ptr<box> box::in_memory() {
  void* const at = mmap(nullptr, sizeof(page), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (at == MAP_FAILED) throw std::bad_alloc();
  return std::unique_ptr<box>(new box(make_page(at), -1));
}

std::uint32_t box::name(std::string_view text) {
  text = text.substr(0, longest_name);
  if (text.empty()) return 0;
  const std::lock_guard lock(mutex_);
  if (const auto known = names_.find(text); known != names_.end()) return known->second;
  const auto at = page_->names_used.load();
  const auto length = static_cast<std::uint16_t>(text.size());
  if (at + sizeof length + length > page_->names.size()) return 0;
  std::memcpy(&page_->names[at], &length, sizeof length);
  std::memcpy(&page_->names[at + sizeof length], text.data(), length);
  page_->names_used.store(at + static_cast<std::uint32_t>(sizeof length) + length, std::memory_order_release);
  return names_[std::string(text)] = at;
}

slot& box::attach() {
#if !defined(GANTRY_SANITIZED)
  static thread_local const alternate_stack stack;
#endif
  auto* at = &page_->slots.back();
  for (auto& s : page_->slots) {
    std::uint32_t nobodys = 0;
    if (!s.used.compare_exchange_strong(nobodys, 1)) continue;
    at = &s;
    break;
  }
  const auto bound = static_cast<std::uint32_t>(at - page_->slots.data()) + 1;
  for (auto seen = page_->slot_bound.load(); seen < bound && !page_->slot_bound.compare_exchange_weak(seen, bound);) {
  }
  held.give_back();
  held.of = page_;
  held.at = at == &page_->slots.back() ? nullptr : at;
  at->tid = static_cast<std::uint32_t>(gettid());
  pthread_getname_np(pthread_self(), at->thread.data(), at->thread.size());
  thread_at = at;
  thread_of = number_;
  return *at;
}

void box::end_in_order(int code) noexcept {
  page_->exit_code = code;
  page_->ended_in_order = 1;
}

namespace {

void keep(const slot& s, kept& to) noexcept {
  constexpr auto plain = std::memory_order_relaxed;
  to.what.kind = s.kind.load(plain);
  to.what.plugin = s.plugin.load(plain);
  to.what.generation = s.generation.load(plain);
  to.what.what = s.what.load(plain);
  to.what.type = s.type.load(plain);
  to.what.partition = s.partition.load(plain);
  to.what.length = s.length.load(plain);
  to.what.offset = s.offset.load(plain);
  for (std::size_t i = 0; i < s.id.size(); ++i) {
    const auto word = s.id[i].load(plain);
    std::memcpy(&to.id[i * sizeof word], &word, sizeof word);
  }
  to.what.id = {to.id.data(), std::min<std::size_t>(s.id_length.load(plain), id_bytes)};
  to.since_us = s.since_us.load(plain);
}

}  // namespace

// No two of a stack have the same time, by which the watch knows them.
void enter_within(slot& s, kept& outer, const work& w, std::int64_t now_us) noexcept {
  keep(s, outer);
  write(s, w, std::max(now_us, std::abs(outer.since_us) + 1));
}

void put_back(slot& s, const kept& from) noexcept { write(s, from.what, from.since_us); }

}  // namespace gantry::blackbox
