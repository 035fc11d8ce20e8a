// Named checks that say whether the host is alive and ready, and why not.
// Owned by app. Thread: any.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace gantry::observability {

enum class health_kind {
  live,   // failing means: restart this process
  ready,  // failing means: send no traffic now
};

struct health_report {
  bool ok = true;
  std::string body;  // {"status":"ok|degraded|failing","checks":[{"name","status","reason"?}]}; answer 200, or 503 unless ok
};

class health {
 public:
  // A check succeeds or says why not; it runs on the asking thread, one at a time, must be quick, and must not call this
  // object. One that hangs holds up only those who ask for its own kind or remove it.
  using check = std::function<result<void>()>;

  // Adds a check, or replaces the one of this kind and name.
  // One that is not `vital` fails by itself: the whole is degraded then, and ok.
  void add(health_kind kind, std::string name, check run, bool vital = true);
  // The check is not called any more once this has returned. Nothing happens when there is none.
  void remove(health_kind kind, std::string_view name);

  // Runs the checks of this kind, in the order they were added. A check that throws has failed.
  health_report report(health_kind kind) const;

 private:
  struct entry {
    health_kind kind;
    std::string name;
    bool vital = true;  // guarded by mutex
    std::mutex mutex;
    check run;  // guarded by mutex; empty once it was removed
  };
  std::shared_ptr<entry> find(health_kind kind, std::string_view name) const;  // mutex_ is held

  mutable std::mutex mutex_;
  std::vector<std::shared_ptr<entry>> entries_;  // guarded by mutex_
};

}  // namespace gantry::observability
