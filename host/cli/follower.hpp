// Brings a running host to what its topology file has become, when asked by SIGHUP or when it watches; a watching one
// also puts rebuilt plugins in the place of those that run. Owned by run. Thread: one of its own.
#pragma once

#include <atomic>
#include <chrono>
#include <map>
#include <set>
#include <string>
#include <thread>

#include "app/host_process.hpp"

namespace gantry::cli {

class follower {
 public:
  struct options {
    std::string file;    // the topology
    bool whole = true;   // the topology is for this process to follow; else plugins' files alone
    bool watch = false;  // files that change; else only reload()
  };
  // `host` outlives it.
  follower(app::host_process& host, options what);
  // Gives up what is under way; each plugin is in one generation then.
  ~follower();
  follower(const follower&) = delete;
  follower& operator=(const follower&) = delete;

  // Reads the topology again. Returns at once. [any]
  void reload();

 private:
  using time_point = std::chrono::steady_clock::time_point;
  struct rebuilt {
    time_point last;  // event of its file
  };

  void run();
  void watch_folders();
  void lose(int watch);
  void find_lost();
  void read_events();
  void take(const std::string& path, time_point now);
  void take_all(time_point now);
  void bring_topology();
  void renew_due(time_point now);
  int wait_ms(time_point now) const;

  app::host_process& host_;
  const options what_;
  int wake_ = -1;                                 // an eventfd
  int inotify_ = -1;                              // -1: nothing is watched
  std::map<int, std::string> folders_;            // by watch
  std::set<std::string> unwatched_;               // folders that can't be, which was said
  std::set<std::string> lost_;                    // folders that went away, and are watched again once they are back
  std::map<std::string, std::string> libraries_;  // plugins by the paths where their files may be
  std::map<std::string, rebuilt> rebuilt_;        // plugins whose file has changed
  bool topology_changed_ = false;
  bool waits_ = false;  // another change is under way; that the topology is read again was said
  bool away_ = false;   // what it needs can't be reached, which was said
  time_point topology_due_{};
  std::atomic<bool> asked_{false};
  std::atomic<bool> ending_{false};
  std::thread thread_;  // last: it uses what stands above
};

}  // namespace gantry::cli
