// The class that a plugin derives from.
#pragma once

#include "gantry/host.hpp"

namespace gantry {

class setup;

namespace detail {
class instance;
}

// What start() is given.
class start_context {
 public:
  explicit start_context(detail::runtime& rt) : host_(rt) {}

  gantry::host host() const { return host_; }
  // Runs fn(tx) and waits for the commit; returns what fn returned. Reading goes the same way.
  template <typename Fn>
  auto write(Fn&& fn) {
    return host_.write(fn);
  }

 private:
  gantry::host host_;
};

// One instance is made per generation. setup, start and stop run on the host's main thread; handlers run on many
// threads, side by side, so members need care.
class plugin {
 public:
  plugin() = default;
  plugin(const plugin&) = delete;
  plugin& operator=(const plugin&) = delete;
  virtual ~plugin() = default;

  // Declares everything: routes, subscriptions, emitted events, jobs, timers, calls. No store and no configuration yet.
  virtual void setup(gantry::setup& s) = 0;
  // The store is migrated, the configuration checked. Handlers run once this has returned.
  virtual void start(start_context&) {}
  // No handler runs and none will. Ends every thread that the plugin started.
  virtual void stop() {}
  // Throws when the plugin can't do its work. Any thread; must return at once.
  virtual void health() {}

 protected:
  // Valid from setup() on, not in the constructor.
  gantry::host host() const { return gantry::host(*rt_); }

 private:
  friend class detail::instance;
  detail::runtime* rt_ = nullptr;
};

}  // namespace gantry
