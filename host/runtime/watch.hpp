// What each worker thread does in plugin code, and since when: so that code that does not come back is named while it hangs, a
// fresh thread takes the worker's place, and the plugin gets no more requests meanwhile.
// Owned by app. Thread: any; tick() by one thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.hpp"

namespace gantry::runtime {
class instance;

enum class work_kind { request, event, write, job };
std::string_view to_string(work_kind kind) noexcept;

class work_watch {
 public:
  // `replace` is called for each worker that is found stuck, with the kind of its work.
  work_watch(const clock& time, std::function<void(work_kind)> replace) : clock_(time), replace_(std::move(replace)) {}
  work_watch(const work_watch&) = delete;
  work_watch& operator=(const work_watch&) = delete;

  // Looks for work beyond its plugin's stall_after.
  void tick();

 private:
  friend class watched_work;
  friend class watched_wait;
  // One for each thread that ever ran plugin code. Written by that thread, read by tick().
  struct place {
    std::atomic<std::int64_t> since_us{0};  // 0: not in plugin code
    std::atomic<bool> reported{false};
    std::mutex mutex;  // of what follows
    instance* who = nullptr;
    work_kind kind = work_kind::request;
    std::string_view name;  // of the route, event type or job kind; as long-lived as the instance
    std::string id;         // of the event or the job
  };
  place& mine();
  static void left(place& at);

  const clock& clock_;
  const std::function<void(work_kind)> replace_;
  std::mutex mutex_;
  std::vector<std::unique_ptr<place>> places_;  // guarded by mutex_
};

// Marks this thread as being in plugin code until it ends; scopes nest.
class watched_work {
 public:
  watched_work(instance& who, work_kind kind, std::string_view name, std::string_view id = {});
  ~watched_work();
  watched_work(const watched_work&) = delete;
  watched_work& operator=(const watched_work&) = delete;

 private:
  work_watch::place* place_ = nullptr;  // null: nobody watches, or an outer scope does
};

// Takes this thread out of plugin code while the host waits for something that has a deadline of its own.
class watched_wait {
 public:
  explicit watched_wait(instance& who);
  ~watched_wait();
  watched_wait(const watched_wait&) = delete;
  watched_wait& operator=(const watched_wait&) = delete;

 private:
  const clock& clock_;
  work_watch::place* place_ = nullptr;  // null: nobody watches
};

}  // namespace gantry::runtime
