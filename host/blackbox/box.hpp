// A host's black box, as the host writes it. Entering plugin code costs a dozen plain stores; see page.hpp.
// Owned by whoever runs the host; outlives the threads that use it, but for the one that owns it. Thread: any.
#pragma once

#include <sys/types.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "blackbox/page.hpp"

namespace gantry::blackbox {

// What a thread is about to do.
struct work {
  work_kind kind = work_kind::other;
  std::uint32_t plugin = 0;  // names, by their index
  std::uint32_t generation = 0;
  std::uint32_t what = 0;
  std::uint32_t type = 0;
  std::uint32_t partition = 0;
  std::uint32_t length = 1;
  std::uint64_t offset = 0;
  std::string_view id{};
};

class box {
 public:
  // A new page in this file; what the file held is gone. conflict: a process that runs has it. io: the system's reason.
  static result<std::unique_ptr<box>> open(const std::filesystem::path& file);
  // The same, but waits up to `at_most` for a process that still has it; `waits` is called once before that, and
  // `gives_up` before every look.
  static result<std::unique_ptr<box>> open_within(const std::filesystem::path& file, std::chrono::milliseconds at_most,
                                                  const std::function<void()>& waits,
                                                  const std::function<bool()>& gives_up = {});
  // One that nobody reads after the process, for a host without a state directory.
  static std::unique_ptr<box> in_memory();
  ~box();
  box(const box&) = delete;
  box& operator=(const box&) = delete;

  // The index of a name; the same for the same name. 0 when the table is full. Takes a lock.
  std::uint32_t name(std::string_view text);

  // This thread's slot. The first time it is given one, and an alternate stack for its signal handlers.
  slot& mine() {
    if (thread_of == number_) return *thread_at;
    return attach();
  }
  // The slot that this thread uses, of whichever box; null: none yet.
  static slot* of_thread() noexcept { return thread_at; }

  page& all() noexcept { return *page_; }
  // Of the file, to notice that somebody has closed it; -1: there is none.
  int descriptor() const noexcept { return file_; }

  // The process ends because it was meant to; what follows is no death.
  void end_in_order(int code) noexcept;

 private:
  box(std::shared_ptr<page> at, int file);
  slot& attach();

  static inline constinit thread_local std::uint64_t thread_of = 0;  // number_ of the box that thread_at belongs to
  static inline constinit thread_local slot* thread_at = nullptr;

  const std::uint64_t number_;  // no other box of this process has it
  const std::shared_ptr<page> page_;
  const int file_;
  std::mutex mutex_;
  std::map<std::string, std::uint32_t, std::less<>> names_;  // guarded by mutex_
};

// What the thread of `s` is in, since when: enter() and the like do it.
inline void write(slot& s, const work& w, std::int64_t since_us) noexcept {
  constexpr auto plain = std::memory_order_relaxed;
  constexpr auto after = std::memory_order_release;  // whoever sees it sees that it is being written
  const auto odd = s.entries.load(plain) | 1;        // it is already when the last slot's threads meet
  s.entries.store(odd, plain);
  s.kind.store(w.kind, after);
  s.plugin.store(w.plugin, after);
  s.generation.store(w.generation, after);
  s.what.store(w.what, after);
  s.type.store(w.type, plain);
  s.partition.store(w.partition, plain);
  s.length.store(w.length, plain);
  s.offset.store(w.offset, plain);
  constexpr std::size_t uuid_bytes = 36;
  std::array<std::uint64_t, id_bytes / 8> words{};
  const auto length = std::min(w.id.size(), id_bytes);
  if (length == uuid_bytes) {
    std::memcpy(words.data(), w.id.data(), uuid_bytes);  // nearly always, and of a size that is known here
  } else if (length != 0) {
    std::memcpy(words.data(), w.id.data(), length);
  }
  for (std::size_t i = 0; i < words.size(); ++i) s.id[i].store(words[i], plain);
  s.id_length.store(static_cast<std::uint16_t>(length), plain);
  s.in_host.store(0, after);
  s.since_us.store(since_us, after);
  s.entries.store(odd + 1, after);
}

// Notes that the thread of `s` enters plugin code, from outside. `now_us`: steady, above 0.
inline void enter(slot& s, const work& w, std::int64_t now_us) noexcept {
  s.begun_as.store(static_cast<std::uint16_t>(w.kind), std::memory_order_relaxed);
  s.stay.store(s.stay.load(std::memory_order_relaxed) + 1, std::memory_order_release);
  write(s, w, now_us);
}

inline void leave(slot& s) noexcept { s.since_us.store(0, std::memory_order_release); }

inline bool inside(const slot& s) noexcept { return s.since_us.load(std::memory_order_relaxed) > 0; }

// Whether plugin code is on its stack, be it in a wait.
inline bool entered(const slot& s) noexcept { return s.since_us.load(std::memory_order_relaxed) != 0; }

// For as long as plugin code has called a function of the host that may wait, or the host does something for it that
// may: the plugin does not hang then, whatever it waits for does.
class host_time {
 public:
  host_time() noexcept : slot_(box::of_thread()) {
    if (slot_ == nullptr) return;
    before_ = slot_->in_host.load(std::memory_order_relaxed);
    slot_->in_host.store(1, std::memory_order_relaxed);
  }
  ~host_time() {
    if (slot_ != nullptr) slot_->in_host.store(before_, std::memory_order_relaxed);
  }
  host_time(const host_time&) = delete;
  host_time& operator=(const host_time&) = delete;

 private:
  slot* const slot_;
  std::uint32_t before_ = 0;
};

// What a slot held, to put it back: plugin code may call other plugin code.
struct kept {
  std::int64_t since_us = 0;
  work what;
  std::array<char, id_bytes> id;
};
// Notes that the thread enters plugin code out of other such code, which `outer` then holds.
void enter_within(slot& s, kept& outer, const work& w, std::int64_t now_us) noexcept;
// It is the same stay in that code as before.
void put_back(slot& s, const kept& from) noexcept;

}  // namespace gantry::blackbox
