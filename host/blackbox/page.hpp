// The layout of a black box: what a host's threads do in plugin code, and why its process ends. Mapped from a file, so
// that it is there however the process ends; written by that process, read by it and, after its end, by its supervisor.
// Plain stores by one thread each: no lock, and nothing that a crash could leave half open. A reader takes a page for
// what it is, bytes from a process that has gone wrong: indexes and lengths are checked.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

// A sanitizer has handlers and functions of its own in the places that these would take.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define GANTRY_SANITIZED
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define GANTRY_SANITIZED
#endif
#endif

namespace gantry::blackbox {

inline constexpr std::uint64_t page_magic = 0x31786f62746e6167;  // "gantbox1"
inline constexpr std::size_t most_slots = 512;                   // threads at a time; more share the last one
inline constexpr std::size_t id_bytes = 40;
inline constexpr std::size_t most_frames = 64;

// What kind of plugin code it is.
enum class work_kind : std::uint32_t { none, request, event, write, job, other };

// One thread. It writes the first two lines when it enters plugin code.
struct alignas(64) slot {
  // Steady. 0: not in plugin code, and what follows is what it did last. Negative: out of the plugin code that it
  // entered at -since_us, for a wait that has a deadline of its own.
  std::atomic<std::int64_t> since_us{};
  std::atomic<std::uint64_t> entries{};  // grows each time; odd: what follows is being written
  std::atomic<std::uint64_t> offset{};   // of an event
  std::atomic<std::uint32_t> plugin{};   // names, by index into the table
  std::atomic<std::uint32_t> generation{};
  std::atomic<std::uint32_t> what{};       // route, topic, kind of job, or which function of the plugin
  std::atomic<std::uint32_t> type{};       // of the event
  std::atomic<std::uint32_t> partition{};  // of the event
  std::atomic<std::uint32_t> length{};     // events given at once, from offset on
  std::atomic<work_kind> kind{};
  std::atomic<std::uint32_t> in_host{};  // 1: it has called the host, which has deadlines of its own
  std::atomic<std::uint16_t> id_length{};
  std::atomic<std::uint16_t> begun_as{};  // the kind of the work that came from outside: whose worker the thread is
  // Grows each time that it comes from outside; plugin code may call other plugin code.
  std::atomic<std::uint32_t> stay{};
  // Of the event or the job, or the request's correlation id: its first bytes.
  std::array<std::atomic<std::uint64_t>, id_bytes / 8> id{};
  // Written once by the thread.
  std::atomic<std::uint32_t> tid{};
  std::atomic<std::uint32_t> used{};  // 1: a thread has it; 2: and what it did last may be why the process ends
  std::array<char, 16> thread{};      // its name in the system
};
static_assert(sizeof(slot) == 128);

enum class end_cause : std::uint32_t { none, signal, terminate, exit_call, stall, descriptors, memory };

// Why the process ends, by whoever finds out first.
struct end_note {
  std::atomic<std::uint32_t> taken{};  // 1: somebody writes it
  std::atomic<std::uint32_t> whole{};  // 1: written
  end_cause cause{};
  std::int32_t signal{};
  std::int32_t code{};  // of the signal, or of exit
  std::uint32_t tid{};  // of the thread at fault
  std::uint64_t address{};
  std::uint64_t program_counter{};
  std::uint32_t frame_count{};
  std::array<std::uint64_t, most_frames> frames{};
  std::array<char, 256> text{};  // what was thrown
};

struct page {
  std::uint64_t magic{};
  std::uint32_t size{};  // of this struct: another build has another one
  std::uint32_t pid{};
  std::atomic<std::uint32_t> ended_in_order{};  // 1: it meant to end, with this code
  std::atomic<std::int32_t> exit_code{};
  end_note end;
  std::atomic<std::uint32_t> slot_bound{};  // slots from here on were never used
  std::array<slot, most_slots> slots;
  // Names: u16 length and text each; an index is the place of its length. Index 0 is the empty name.
  std::atomic<std::uint32_t> names_used{};
  std::array<char, 64 * 1024> names{};
  // The lines of /proc/self/maps that hold code, when the note was written.
  std::atomic<std::uint32_t> maps_length{};
  std::array<char, 96 * 1024> maps{};
};

}  // namespace gantry::blackbox
