// What a new topology means for this host, and the steps that bring it there: one at a time, on a thread of their own.
// Owned by operations. Thread: any.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>

#include "admin/apart.hpp"
#include "admin/question.hpp"
#include "http/endpoint.hpp"
#include "lifecycle/plugin_set.hpp"
#include "plan/apply.hpp"
#include "plan/plan.hpp"
#include "topology/topology.hpp"

namespace gantry::admin {

// What the host knows of itself. Without a text it was not started from a file, and changes nothing.
struct change_parts {
  std::string home;                                 // the host of the topology file that this process belongs to
  std::string file;                                 // the topology file
  std::string text;                                 // what the host runs
  std::shared_ptr<const topology::topology> model;  // the text, as it was read when the host started
  apart* others = nullptr;                          // plugins that run in processes of their own; null: none do
  bool keeps = true;  // what is adopted counts at the host's next start; else its own process sees to that
  std::function<topology::topology(const topology::topology&)> as_process;  // the topology as this process sees it
  std::function<result<void>(const topology::topology&)> place;             // calls go where this one says
  std::function<void()> restart;  // drains, ends, and is started again by whoever watches; empty: nobody would
  std::chrono::milliseconds apart_at_most{10'000};  // for such a process to take and to tell how a step goes
};

class changes {
 public:
  changes(lifecycle::plugin_set& plugins, change_parts parts);
  ~changes() { end(); }
  changes(const changes&) = delete;
  changes& operator=(const changes&) = delete;

  // Gives up what is under way, whoever asked for it, waits for its end, and begins nothing any more.
  void end();

  // GET topology: {"host","file","applied","process","text"}.
  http::reply topology() const;
  // GET running: what runs in this process and in those of its plugins, as plan::to_json writes it.
  http::reply files() const;
  // POST plan?file= with the text of a topology: a plan::host_answer. 503: the host was not started from a file.
  http::reply plan(const question& what);
  // POST step/{kind}/{subject}?file=&run=&applied=&digest=&force=1&back=1&probation_ms= with the text: 200 with
  // {"id","running":true} when it has begun; 409 while another one is under way, or when the host does not run the
  // topology `applied` (SHA-256 of its text). `kind`: of a step, or adopt, which has no subject (-). `run`: names the
  // plan that the step belongs to; with back=1 only what the step of that plan has done is taken back, and nothing else
  // is an error. `digest`: SHA-256 that a plugin's file has to have.
  http::reply begin(const question& what);
  // GET step?id=: {"id","running":bool,"stuck":bool,"unknown":bool,"kind","subject","error":"...","receipt":{...} or
  // null} of that step; without an id of the one under way, or the last. 404: no such step is known.
  http::reply progress(const question& what) const;

  // Brings this host to a topology by itself: what other hosts have to do first, or with it, is refused. Returns when
  // that is done or taken back. invalid: the topology has errors; the text has them. conflict: another change is under
  // way, and nothing was begun; unavailable: the host stops.
  plan::carried_out reload(const std::string& text, const std::string& file,
                           const std::function<void(const std::string&)>& tell);

  // Puts the plugin's library, as it is now, in its place, or starts it if it has failed; versions don't count. Nothing
  // happens when it runs already. The outcome, a line, for the log. conflict, unavailable: as reload().
  result<std::string> swap_if_rebuilt(const std::string& plugin, std::chrono::milliseconds probation);

 private:
  struct task {
    plan::step_kind kind = plan::step_kind::note;
    bool adopt = false;
    std::string subject;
    std::string text;
    std::string file;
    std::string run;     // the plan that it belongs to
    std::string digest;  // that the plugin's file has to have; empty: any
    bool force = false;
    bool back = false;
    std::chrono::microseconds probation{-1};
  };
  struct outcome {
    std::string error{};    // empty: done
    std::string receipt{};  // of a swap
    bool stuck = false;     // half done, and it can't go back
    bool unknown = false;   // whether it was done
  };
  struct record {
    std::string id;
    std::string kind;
    std::string subject;
    bool running = true;
    outcome end;
  };
  // A topology by its text, as it was read, and as this process sees it.
  struct proposal {
    std::shared_ptr<const topology::topology> whole;  // null: it has errors
    lifecycle::shared_topology here;
    std::string error;
  };
  // What counts, or counted: as it was read then, for a secret in it may have another value now.
  struct known_text {
    std::string text;
    std::shared_ptr<const topology::topology> model;
  };
  class busy_guard;

  // Slot and HTTP: changes.cpp
  result<void> try_acquire();
  void release();
  plan::host_answer answer(const std::string& text, const std::string& file) const;
  std::map<std::string, plan::running_plugin> running() const;
  std::map<std::string, plan::running_plugin> running_here() const;

  // One step: change_step.cpp
  outcome perform(const task& what);
  outcome do_step(const task& what);
  proposal propose(const task& what) const;
  std::string name_of_system() const;
  std::vector<topology::problem> addresses_in_use(const topology::topology& next, const topology::topology& now) const;
  lifecycle::shared_topology keeping_events(const topology::topology& next, const std::string& but) const;
  outcome swap(const task& what, const lifecycle::shared_topology& by);
  outcome remove(const task& what);
  outcome add(const task& what, const lifecycle::shared_topology& by);
  result<void> adopt(const task& what, const proposal& proposed);
  result<void> note(const task& what, const topology::topology& by) const;
  std::filesystem::path former_copy(const task& what) const;
  bool has_swapped(const task& what) const;
  static std::string error_of(const lifecycle::swap_receipt& receipt);
  bool runs(const std::string& plugin) const;

  // By the processes of plugins that run apart: step_apart.cpp
  outcome do_step_apart(const task& what) const;
  result<std::string> begin_apart(const task& what) const;
  result<void> tell_apart(const task& what) const;

  // By itself: reload.cpp
  plan::carried_out bring_to(const std::string& text, const std::string& file,
                             const std::function<void(const std::string&)>& tell);

  result<http::reply> ask_apart(const std::string& plugin, std::string_view method, const std::string& target,
                                std::string_view body) const;

  lifecycle::plugin_set& plugins_;
  const change_parts parts_;
  std::set<std::string> apart_;  // those of parts_.others
  std::atomic<bool> given_up_{false};
  mutable std::mutex mutex_;
  std::condition_variable idle_;
  known_text now_;              // guarded by mutex_
  known_text former_;           // before now_, once something was adopted; guarded by mutex_
  bool busy_ = false;           // a change is under way; guarded by mutex_
  std::uint64_t count_ = 0;     // of steps; guarded by mutex_
  std::deque<record> records_;  // the last steps, the newest last; guarded by mutex_
  std::thread thread_;          // guarded by mutex_
};

}  // namespace gantry::admin
