#include "lifecycle/state_room.hpp"

#include <sys/types.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <memory>
#include <new>

// jemalloc's; a sanitizer's allocator has none.
extern "C" int mallctl(const char* name, void* old, std::size_t* old_length, void* next, std::size_t next_length)
    __attribute__((weak));

namespace gantry::lifecycle {
namespace {

constexpr std::uint64_t most = std::uint64_t{64} << 20U;
constexpr std::size_t page = 4096;

}  // namespace

state_room::state_room(std::uint64_t bytes) : bytes_(std::min(bytes, most)) {
  unsigned arena = 0;
  std::size_t length = sizeof arena;
  if (bytes_ == 0 || mallctl == nullptr || mallctl("thread.arena", &arena, &length, nullptr, 0) != 0) return;
  // Pages that were given back go to the system when they have lain for so long; with -1 they stay.
  setting_ = "arena." + std::to_string(arena) + ".dirty_decay_ms";
  ssize_t former = 0;
  ssize_t stay = -1;
  length = sizeof former;
  if (mallctl(setting_.c_str(), &former, &length, &stay, sizeof stay) != 0) {
    setting_.clear();
    return;
  }
  former_ms_ = former;
  std::array<std::unique_ptr<char[]>, 3> room;
  for (auto& one : room) {
    const auto size = static_cast<std::size_t>(bytes_ + bytes_ / 4);
    one.reset(new (std::nothrow) char[size]);  // not cleared: a byte a page is enough
    if (!one) return;
    for (std::size_t at = 0; at < size; at += page) static_cast<volatile char*>(one.get())[at] = 1;
  }
}

state_room::~state_room() {
  if (setting_.empty()) return;
  auto former = static_cast<ssize_t>(former_ms_);
  mallctl(setting_.c_str(), nullptr, nullptr, &former, sizeof former);
}

}  // namespace gantry::lifecycle
