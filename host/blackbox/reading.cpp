#include "blackbox/reading.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>

namespace gantry::blackbox {
namespace {

std::string name_at(const page& all, std::uint32_t index) {
  const std::size_t used = std::min<std::size_t>(all.names_used, all.names.size());
  std::uint16_t length = 0;
  if (index + sizeof length > used) return {};
  std::memcpy(&length, &all.names[index], sizeof length);
  if (index + sizeof length + length > used) return {};
  return {&all.names[index + sizeof length], length};
}

// What it did to tell of the fault is no part of the stack.
std::vector<std::uint64_t> frames_of(const end_note& note) {
  std::vector<std::uint64_t> out(note.frames.begin(),
                                 note.frames.begin() + std::min<std::size_t>(note.frame_count, note.frames.size()));
  const auto at = std::find(out.begin(), out.end(), note.program_counter);
  if (at != out.end()) {
    out.erase(out.begin(), at);
  } else if (note.program_counter != 0) {
    // The unwinder did not get past a place that is no code.
    out.insert(out.begin(), note.program_counter);
  }
  // A place that a call returns to: the call is before it.
  if (note.cause != end_cause::signal && !out.empty()) --out.front();
  return out;
}

end_account account_of(const page& all) {
  const auto& note = all.end;
  end_account out;
  out.cause = note.cause;
  out.signal = note.signal;
  out.code = note.code;
  out.tid = note.tid;
  out.address = note.address;
  out.text.assign(note.text.data(), strnlen(note.text.data(), note.text.size()));
  const std::string_view maps(all.maps.data(), std::min<std::size_t>(all.maps_length, all.maps.size()));
  out.stack = name_frames(frames_of(note), maps);
  return out;
}

}  // namespace

std::string_view to_string(work_kind kind) noexcept {
  switch (kind) {
    case work_kind::none:
      return "nothing";
    case work_kind::request:
      return "request";
    case work_kind::event:
      return "event";
    case work_kind::write:
      return "write";
    case work_kind::job:
      return "job";
    case work_kind::other:
      return "call";
  }
  return "work";
}

std::string to_text(const thread_account& work) {
  switch (work.kind) {
    case work_kind::event:
      return (work.length == 1 ? "event " : "one of " + std::to_string(work.length) + " events from ") + work.type +
             " of " + work.what + "/" + std::to_string(work.partition) + " at " + std::to_string(work.offset);
    case work_kind::request:
      return "request " + work.what;
    case work_kind::job:
      return "job " + work.what + " " + work.id;
    case work_kind::none:
    case work_kind::write:
    case work_kind::other:
      break;
  }
  return work.what.empty() ? std::string(to_string(work.kind)) : work.what;
}

thread_account account_of(const slot& s, const page& all) {
  thread_account out;
  out.since_us = s.since_us.load(std::memory_order_acquire);
  out.tid = s.tid;
  out.thread.assign(s.thread.data(), strnlen(s.thread.data(), s.thread.size()));
  out.kind = s.kind;
  out.plugin = name_at(all, s.plugin);
  out.generation = s.generation;
  out.what = name_at(all, s.what);
  out.type = name_at(all, s.type);
  out.partition = s.partition;
  out.offset = s.offset;
  out.length = s.length;
  out.in_host = s.in_host != 0;
  out.suspected = s.used == 2;
  std::array<char, id_bytes> id;
  for (std::size_t i = 0; i < s.id.size(); ++i) {
    const std::uint64_t word = s.id[i];
    std::memcpy(&id[i * sizeof word], &word, sizeof word);
  }
  out.id.assign(id.data(), std::min<std::size_t>(s.id_length, id.size()));
  return out;
}

result<account> read_box(const std::filesystem::path& file) {
  const auto refused = [&](errc code, const std::string& why) { return error{code, file.string() + ": " + why}; };
  const int opened = ::open(file.c_str(), O_RDONLY | O_CLOEXEC);
  if (opened < 0) return refused(errno == ENOENT ? errc::not_found : errc::io, std::strerror(errno));
  struct stat about {};
  const bool fits = fstat(opened, &about) == 0 && about.st_size == static_cast<off_t>(sizeof(page));
  void* const at = fits ? mmap(nullptr, sizeof(page), PROT_READ, MAP_SHARED, opened, 0) : MAP_FAILED;
  ::close(opened);
  if (at == MAP_FAILED) return refused(errc::corrupt, "is not a black box of this version of gantry");
  const std::unique_ptr<const page, void (*)(const page*)> all(
      static_cast<const page*>(at), [](const page* p) { munmap(const_cast<page*>(p), sizeof(page)); });
  if (all->magic != page_magic || all->size != sizeof(page))
    return refused(errc::corrupt, "is not a black box of this version of gantry");
  account out;
  out.pid = all->pid;
  out.ended_in_order = all->ended_in_order != 0;
  out.exit_code = all->exit_code;
  if (all->end.taken != 0) out.end = account_of(*all);
  for (const auto& s : all->slots)
    if (s.used != 0 && s.kind != work_kind::none) out.threads.push_back(account_of(s, *all));
  return out;
}

}  // namespace gantry::blackbox
