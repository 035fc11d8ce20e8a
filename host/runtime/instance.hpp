// One loaded plugin in one host: what it declared, its store and write lane, and the host table that its code calls.
// Owned by lifecycle. Thread: see each function.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.hpp"
#include "base/result.hpp"
#include "blackbox/box.hpp"
#include "gantry/abi/entry.h"
#include "gantry/abi/host.h"
#include "gantry/abi/plugin.h"
#include "observability/metrics.hpp"
#include "runtime/deadly.hpp"
#include "runtime/declarations.hpp"
#include "runtime/failure_log.hpp"
#include "runtime/server_time.hpp"
#include "runtime/transaction.hpp"
#include "store/store.hpp"

namespace gantry::runtime {
class lane;
class job_board;
class dispatcher;
class work_watch;

// The topics of this host's topology, and the dead letter topics beside them, by name.
using topic_directory = std::map<std::string, bus::topic_id, std::less<>>;

// What an instance needs of its host. Outlives the instance.
struct surroundings {
  const clock* time = nullptr;
  observability::registry* metrics = nullptr;
  dispatcher* calls = nullptr;
  const topic_directory* topics = nullptr;
  work_watch* watch = nullptr;  // null: hangs go unnoticed
  const std::vector<deadly_work>* deadly = nullptr;  // of all plugins; null: none
};

enum class phase { created, setup, starting, running, stopping, stopped, failed };
std::string_view to_string(phase p) noexcept;

// Counters of the plugin's hot paths. Owned by the metrics registry.
struct probe {
  observability::counter* requests = nullptr;
  observability::counter* request_errors = nullptr;
  observability::counter* events_in = nullptr;
  observability::counter* events_out = nullptr;
  observability::counter* events_dropped = nullptr;
  observability::counter* event_errors = nullptr;
  observability::counter* events_parked = nullptr;
  observability::counter* transactions = nullptr;
  observability::counter* reruns = nullptr;
  observability::counter* stale_batches = nullptr;
  observability::counter* epoch_moves = nullptr;
  observability::counter* jobs_done = nullptr;
  observability::counter* job_errors = nullptr;
  observability::counter* calls = nullptr;
  observability::counter* call_errors = nullptr;
  observability::gauge* batch_size = nullptr;
  observability::gauge* clock_ahead = nullptr;  // seconds; of a shared store only
};

class instance {
 public:
  instance(std::string id, std::string version, std::uint32_t generation, const surroundings& around);
  ~instance();
  instance(const instance&) = delete;
  instance& operator=(const instance&) = delete;

  const std::string& id() const noexcept { return id_; }
  const std::string& version() const noexcept { return version_; }
  std::uint32_t generation() const noexcept { return generation_; }

  // Makes the plugin's object and lets it declare. [main]
  result<void> create(const gantry_entry& entry);
  // Its own start(), with store and configuration in place. [main]
  result<void> start();
  // Asks the plugin, by its rows, which timers run; they are in restored_timers then. [main or lane]
  result<void> restore_timers(store::session& snapshot);
  void stop();  // [main]
  result<void> health() const;  // [any]

  // Calls plugin code, and notes it in the black box unless more is noted there already; what it throws in spite of the
  // ABI becomes FAILED with its text, so that it ends here.
  template <typename F>
  gantry_status guarded(F&& call, const char* what) const noexcept;

  const emission* find_emission(std::string_view topic, std::string_view type) const noexcept;
  int find_job(std::string_view name) const noexcept;    // index, or -1
  int find_timer(std::string_view name) const noexcept;  // index, or -1
  bool may_call(std::string_view plugin) const noexcept;

  static instance& of(const gantry_host* host) noexcept;
  const gantry_host* host() const noexcept { return &table_; }

  // The time as plugin code sees it, microseconds since 1970: the machine's, or where hosts share the store the one
  // that they keep to.
  std::int64_t now_us() const noexcept { return time_.now_us(*around.time); }
  void keep_to(const common_time& time) noexcept { time_.set(time); }

  phase state() const noexcept { return phase_.load(std::memory_order_acquire); }
  void state(phase p) noexcept { phase_.store(p, std::memory_order_release); }

  // Workers that are in this plugin's code for longer than stall_after_us.
  std::atomic<std::uint32_t> stalled{0};
  std::atomic<std::int64_t> stall_after_us = 10'000'000;
  // After so long the process is ended, so that the host can go on without this plugin; 0: never.
  std::atomic<std::int64_t> stall_kill_after_us = 0;

  // Its name in the black box; 0: there is none.
  std::uint32_t note() const noexcept { return note_; }

  // Requests and calls that plugin code is handling.
  void enter() noexcept { in_flight_.fetch_add(1); }
  void leave() noexcept { in_flight_.fetch_sub(1); }
  std::uint64_t in_flight() const noexcept { return in_flight_.load(); }

  declarations declared;
  surroundings around;
  probe counts;
  failure_log failures;
  std::string config = "{}";
  // These belong to the plugin rather than to this generation: the one that replaces it takes them over.
  std::shared_ptr<store::store> database;
  std::shared_ptr<lane> writer;
  std::shared_ptr<job_board> jobs;
  observability::owner_id metrics_owner = 0;
  const gantry_instance* plugin = nullptr;
  // Timers that restore() asks for, until the lane takes them. [main or lane]
  std::vector<timer_change> restored_timers;
  bool restoring = false;  // rearm may be called [main or lane]
  // Metric series that plugin code holds pointers to.
  std::mutex series_mutex;
  std::vector<std::unique_ptr<void, void (*)(void*)>> series;

 private:
  // Notes that this thread is in code of this plugin, for what has no note of its own.
  class plain_note {
   public:
    plain_note(const instance& who, const char* what) {
      if (who.note_ != 0 && !who.is_noted()) enter(who, what);
    }
    ~plain_note() {
      if (slot_ != nullptr) leave();
    }
    plain_note(const plain_note&) = delete;
    plain_note& operator=(const plain_note&) = delete;

   private:
    void enter(const instance& who, const char* what);
    void leave();

    blackbox::slot* slot_ = nullptr;
    std::optional<blackbox::kept> outer_;
  };
  bool is_noted() const noexcept {
    const auto& s = notes_->mine();
    return blackbox::inside(s) && s.plugin.load(std::memory_order_relaxed) == note_ &&
           s.generation.load(std::memory_order_relaxed) == generation_;
  }

  void name_notes();

  struct host_table : gantry_host {
    instance* self;
  };

  const std::string id_;
  const std::string version_;
  const std::uint32_t generation_;
  const std::uint32_t note_;
  blackbox::box* const notes_;  // null: there is no watch
  std::atomic<phase> phase_{phase::created};
  std::atomic<std::uint64_t> in_flight_{0};
  common_time time_;
  host_table table_;
};

// Says on a line of the log that plugin code threw through the C boundary. Returns FAILED.
gantry_status report_throw(const instance& who, const char* what, const char* text) noexcept;

template <typename F>
gantry_status instance::guarded(F&& call, const char* what) const noexcept {
  try {
    const plain_note note(*this, what);
    return call();
  } catch (const std::exception& e) {
    return report_throw(*this, what, e.what());
  } catch (...) {
    return report_throw(*this, what, "an exception that is not a std::exception");
  }
}

}  // namespace gantry::runtime
