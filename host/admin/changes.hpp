// What a new topology means for this host, and the steps that bring it there: one at a time, on a thread of their own.
// Owned by operations. Thread: any.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>

#include "admin/question.hpp"
#include "http/endpoint.hpp"
#include "lifecycle/plugin_set.hpp"
#include "plan/plan.hpp"
#include "topology/topology.hpp"

namespace gantry::admin {

// What the host knows of itself. Without a text it was not started from a file, and changes nothing.
struct change_parts {
  std::string home;             // the host of the topology file that this process belongs to
  std::string file;             // the topology file
  std::string text;             // what the host runs
  std::set<std::string> apart;  // plugins that run in processes of their own
  std::function<topology::topology(const topology::topology&)> as_process;  // the topology as this process sees it
  std::function<result<void>(const topology::topology&)> place;             // calls go where this one says
  std::function<void()> restart;  // drains, ends, and is started again by whoever watches; empty: nobody would
};

class changes {
 public:
  changes(lifecycle::plugin_set& plugins, change_parts parts);
  ~changes() { end(); }
  changes(const changes&) = delete;
  changes& operator=(const changes&) = delete;

  // Gives up the step under way, waits for its end, and begins none any more.
  void end();

  // GET topology: {"host","file","applied","started","text"}.
  http::reply topology() const;
  // POST plan?file= with the text of a topology: a plan::host_answer. 422 for none at all.
  http::reply plan(const question& what);
  // POST step/{kind}/{subject}?file=&force=1&back=1&probation_ms= with the text: 200 when it has begun; 409 while
  // another one is under way.
  http::reply begin(const question& what);
  // GET step: {"running":bool,"kind","subject","error":"...","receipt":{...} or null} of the one under way, or the
  // last.
  http::reply progress() const;

  // Brings this host to a topology by itself: what other hosts have to do first, or with it, is refused. Returns when
  // that is done or taken back. invalid: the topology has errors; the text has them.
  result<void> bring_to(const std::string& text, const std::string& file,
                        const std::function<void(const std::string&)>& tell);

  // Puts the plugin's library, as it is now, in its place, or starts it if it has failed; versions don't count. Nothing
  // happens when it runs already. The outcome, a line, for the log. unavailable: while another change is under way.
  result<std::string> renew(const std::string& plugin, std::chrono::milliseconds probation);

 private:
  struct task {
    plan::step_kind kind = plan::step_kind::note;
    bool adopt = false;
    std::string subject;
    std::string text;
    std::string file;
    bool force = false;
    bool back = false;
    std::chrono::microseconds probation{-1};
  };
  struct outcome {
    std::string error;    // empty: done
    std::string receipt;  // of a swap
  };
  // A topology as this process sees it, read from its text.
  struct proposal {
    topology::parsed_topology read;
    lifecycle::shared_topology here;
  };

  bool take();
  void give_back();
  proposal propose(const std::string& text, const std::string& file) const;
  plan::host_answer answer(const std::string& text, const std::string& file) const;
  std::map<std::string, plan::running_plugin> running() const;
  outcome perform(const task& what);
  outcome swap(const task& what, const lifecycle::shared_topology& by);
  outcome remove(const task& what);
  outcome add(const task& what, const lifecycle::shared_topology& by);
  std::filesystem::path file_of(const std::string& plugin) const;
  result<void> adopt(const std::string& text, const std::string& file);

  lifecycle::plugin_set& plugins_;
  const change_parts parts_;
  std::atomic<bool> given_up_{false};
  mutable std::mutex mutex_;
  std::string text_;   // that counts; guarded by mutex_
  bool busy_ = false;  // a step is under way; guarded by mutex_
  task current_;       // or the last; guarded by mutex_
  outcome last_;       // guarded by mutex_
  std::map<std::string, std::filesystem::path>
      former_;          // of what was swapped or removed, by plugin; by whoever is busy
  std::thread thread_;  // guarded by mutex_
};

}  // namespace gantry::admin
