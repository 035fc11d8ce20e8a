// What each worker thread does in plugin code, and since when: noted in the host's black box, so that it is known
// however the process ends, and looked at, so that code that does not come back is named while it hangs. A fresh thread
// takes the worker's place, a plugin with two such threads gets no more requests meanwhile, and in the end the process
// is ended for it.
// Owned by app. Thread: any; tick() by one thread.
#pragma once

#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <string_view>
#include <vector>

#include "base/clock.hpp"
#include "blackbox/box.hpp"

namespace gantry::runtime {
class instance;

using blackbox::work_kind;

class work_watch {
 public:
  // `replace` is called for each worker that is found stuck, with the kind of work that it took on, once for that.
  // `notes` outlives the watch and all threads that run plugin code.
  work_watch(const clock& time, blackbox::box& notes, std::function<void(work_kind)> replace)
      : clock_(time), notes_(notes), replace_(std::move(replace)) {}
  work_watch(const work_watch&) = delete;
  work_watch& operator=(const work_watch&) = delete;

  // Looks for work beyond its plugin's stall_after, and for such that came back; ends the process, with a note, when
  // work is beyond stall_kill_after, or somebody has closed the host's descriptors. Work that waits for the host, a
  // store that does not answer say, or for another plugin is told of as that, and ends nothing: that time does not
  // count.
  void tick();

  blackbox::box& notes() noexcept { return notes_; }

  // Generations whose code runs: the watch looks at no other. [any]
  void add(instance& who);
  void remove(instance& who);

 private:
  // Plugin code on a thread's stack that a look has found there. What goes on for less than the time between two looks
  // may never be one.
  struct frame {
    std::int64_t since_us;
    instance* who;
    work_kind kind;
    std::uint32_t what;
    std::int64_t own_us = 0;
    std::int64_t waited_us = 0;  // for the host, or for other plugin code that it has called
    bool told = false;           // counted in `stalled`
    bool hangs = false;          // was told of as that, not only as waiting
  };
  // A slot at the last look.
  struct seen {
    std::uint64_t entries = 0;
    std::uint32_t stay = 0;
    bool inside = false;
    bool replaced = false;     // the worker was, in this stay
    std::vector<frame> stack;  // the innermost last, by since_us
  };
  instance* find(std::uint32_t plugin, std::uint32_t generation) const;
  void look_at(const blackbox::slot& s, seen& known, std::int64_t passed_us, std::int64_t now_us);
  void judge(const blackbox::slot& s, seen& known, bool waits);
  enum class finding { waits, hangs, ends };
  void report(const blackbox::slot& s, instance& who, std::int64_t lasts_us, finding what);
  static void hear_of_return(const frame& f);
  void suspect_who_was_active();
  static std::int64_t patience_of(const frame& f);

  const clock& clock_;
  blackbox::box& notes_;
  const std::function<void(work_kind)> replace_;
  std::mutex mutex_;  // of what follows
  std::vector<instance*> watched_;
  std::int64_t looked_us_ = 0;  // the last tick
  std::vector<seen> seen_;
};

// Marks this thread as being in plugin code until it ends. Scopes nest: the inner one stands for as long as it lasts.
class watched_work {
 public:
  // `names` by their index in the notes; see blackbox::work. Its plugin and generation are filled in here. `now_us`:
  // steady; 0: asks for it.
  watched_work(instance& who, blackbox::work what, std::int64_t now_us = 0);
  ~watched_work() {
    if (slot_ == nullptr) return;
    if (outer_)
      blackbox::put_back(*slot_, *outer_);
    else
      blackbox::leave(*slot_);
  }
  watched_work(const watched_work&) = delete;
  watched_work& operator=(const watched_work&) = delete;

 private:
  blackbox::slot* slot_ = nullptr;       // null: nobody watches
  std::optional<blackbox::kept> outer_;  // what this one stands in for
};

// Takes this thread out of plugin code while the host waits for something that has a deadline of its own; behind that
// its work begins anew.
class watched_wait {
 public:
  explicit watched_wait(instance& who);
  ~watched_wait();
  watched_wait(const watched_wait&) = delete;
  watched_wait& operator=(const watched_wait&) = delete;

 private:
  const clock& clock_;
  blackbox::slot* slot_ = nullptr;  // null: nobody watches
};

}  // namespace gantry::runtime
