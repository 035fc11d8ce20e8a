// Which plugins of a host run apart from it because its process died in their code, and the events that it died on:
// <state>/quarantine/<host>.json. Written by the supervisor after a death, and by whoever ends a quarantine; read by
// hosts and their children when they start. Thread: any; writers of several processes take turns.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace gantry::supervisor {

// A plugin that runs as if the topology said `isolation: process`.
struct confined_plugin {
  std::string plugin;
  std::uint64_t generation = 0;  // whose code it was
  std::string why;               // a sentence
  std::int64_t since_us = 0;     // wall clock
};

// An event, or a job, on which the process died, in the code of this plugin.
struct deadly_event {
  std::string plugin;
  std::string topic;  // or the kind of the job
  bool job = false;
  std::uint32_t partition = 0;
  std::uint64_t offset = 0;
  std::uint64_t length = 1;   // more than 1: one of so many, from offset on, given to the handler at once
  std::string id;             // of the event or the job: on another bus an offset means another event
  std::uint64_t crashes = 0;  // of the process
  std::string why;            // the last one's sentence
};

struct quarantine {
  static constexpr std::size_t most_events = 1000;

  std::vector<confined_plugin> plugins;
  std::vector<deadly_event> events;

  const confined_plugin* find(std::string_view plugin) const noexcept;  // null: it is not confined
  // Confines a plugin, or renews why it is.
  void confine(confined_plugin which);
  // Ends it; also what is known of its events is forgotten. False: it was not confined, and no event of it was known.
  bool release(std::string_view plugin);
  // Counts a crash on this event; returns how many there were. Of more than `most_events` the oldest is forgotten.
  std::uint64_t count(deadly_event on);
};

// `host` as the topology names it: a plugin's child process belongs to the host that it was taken out of.
std::filesystem::path quarantine_path(const std::filesystem::path& state, std::string_view host);

// No file: nobody is confined. corrupt: the file is not one of ours; the text says what was found. io: there is one,
// and it can't be read now.
result<quarantine> read_quarantine(const std::filesystem::path& path);

// Reads, lets `change` work on it, and replaces the file when that returned true; durable when it returns. No other
// process changes it meanwhile. A file that is none of ours counts as empty: what it knew comes back with the next
// crash. io: nothing has changed.
result<void> change_quarantine(const std::filesystem::path& path, const std::function<bool(quarantine&)>& change);

// The quarantine of a host as it is now, looked at again whenever the file has changed. Thread: any.
class quarantine_view {
 public:
  explicit quarantine_view(std::filesystem::path path) : path_(std::move(path)) {}
  // One that is none of ours counts as empty; while it can't be read it is as it was.
  quarantine now();

 private:
  const std::filesystem::path path_;
  std::mutex mutex_;
  std::filesystem::file_time_type changed_{};  // guarded by mutex_, as what follows
  quarantine known_;
};

}  // namespace gantry::supervisor
