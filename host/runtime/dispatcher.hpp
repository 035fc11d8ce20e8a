// Brings requests to plugins: over HTTP from outside, and as calls from plugin to plugin.
//
// A request from outside runs on a request worker; when its handler answers by a write, the write lane takes over and
// the worker is free. A local call runs on the caller's own thread: one function call through the route table. A call
// to a plugin that does not run here goes to another host, and its own thread waits for the reply.
//
// Owned by app. Thread: any.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/clock.hpp"
#include "base/shared_cell.hpp"
#include "call/breaker.hpp"
#include "gantry/abi/call.h"
#include "observability/metrics.hpp"
#include "runtime/reply.hpp"
#include "runtime/request_pool.hpp"
#include "runtime/router.hpp"

struct gantry_context;

namespace gantry::call {
class remote_calls;
}

namespace gantry::runtime {

struct inbound {
  std::string method;
  std::string path;                                          // as sent, percent-encoded, without the query
  std::string query;                                         // as sent, without '?'
  std::vector<std::pair<std::string, std::string>> headers;  // names in lower case
  std::string body;
  std::string principal;  // who asks, once that was checked; scopes idempotency keys
  bool is_call = false;   // from a plugin on another host: runs before requests, with workers in reserve
  std::string caller;     // that plugin, once that was checked
};

// Where a reply goes; called once, on any thread, and must not block.
class reply_sink {
 public:
  virtual ~reply_sink() = default;
  virtual void send(reply&& r) = 0;
};

class dispatcher {
 public:
  // `deadline_us`: of requests and calls that bring none of their own, and the longest that a request may ask for.
  dispatcher(request_pool& workers, request_pool& callbacks, const clock& time, std::int64_t deadline_us = 30'000'000);

  // Where calls to plugins go that do not run here. Outlives the dispatcher; before the first call. [main]
  void elsewhere(call::remote_calls& there) noexcept { elsewhere_ = &there; }

  // Changes what is reachable from the next request on.
  void routes(std::shared_ptr<const route_table> table);
  std::shared_ptr<const route_table> routes() const { return table_.load(); }

  // Requests and calls to this plugin wait from here on instead of going in, until it is released; those whose deadline
  // passes meanwhile are answered so. One plugin at a time. Who had been let in before is through when the table that
  // routes() returned until now is gone: hold() replaces it and returns it. [any]
  std::weak_ptr<const route_table> hold(const std::string& plugin);
  // Lets them in, by the table of that moment. Returns how many had waited. [any]
  std::size_t release();

  // Answers through the sink, also when nothing answers here (404, 405, 503).
  void submit(inbound&& in, std::unique_ptr<reply_sink> sink);

  // gantry_call_1::call for a call that begins in `context`.
  gantry_status call(gantry_context& context, const gantry_call& request, gantry_call_reply& out);
  // gantry_call_1::call_async.
  gantry_status call_async(instance& from, const gantry_call& request,
                           void (*done)(void*, gantry_status, const gantry_call_reply*), void* user);
  static void release(gantry_call_reply& reply) noexcept;

 private:
  class request_work;
  class request_write;
  class request_turn;

  gantry_status call_from(instance& from, const gantry_call& request, std::int64_t caller_deadline_us,
                          std::string_view correlation_id, std::string_view traceparent, gantry_call_reply& out);
  gantry_status call_elsewhere(instance& from, const gantry_call& request, std::int64_t deadline_us,
                               std::string_view correlation_id, std::string_view traceparent, gantry_call_reply& out);
  bool is_elsewhere(std::string_view plugin) const;
  // Takes the request when its plugin is held.
  bool hold_back(std::string_view plugin, std::unique_ptr<inbound>& in, std::unique_ptr<reply_sink>& sink);
  // Waits until the plugin is released; false: not before the deadline.
  bool let_in(std::string_view plugin, std::int64_t deadline_us);
  // Of local calls; those to other hosts have a breaker for each host.
  bool breaker_allows(std::string_view plugin, std::int64_t now_us);
  void reported(std::string_view plugin, bool good);

  // What is counted of one plugin's calls to another one elsewhere. Null: the registry did not take the series.
  struct remote_probe {
    observability::counter* calls = nullptr;
    observability::counter* errors = nullptr;
    observability::histogram* latency = nullptr;
  };
  remote_probe& probe_of(instance& from, std::string_view plugin);

  request_pool& workers_;
  request_pool& callbacks_;
  const clock& clock_;
  const std::int64_t default_timeout_us_;
  std::mutex publishing_;  // whoever changes table_
  shared_cell<const route_table> table_;
  struct held_request {
    std::unique_ptr<inbound> in;
    std::unique_ptr<reply_sink> sink;
  };
  std::atomic<bool> holding_{false};  // a plugin is held
  std::mutex held_mutex_;
  std::condition_variable released_;
  std::string held_plugin_;         // guarded by held_mutex_
  std::vector<held_request> held_;  // guarded by held_mutex_
  std::mutex breakers_mutex_;
  std::unordered_map<std::string, call::breaker> breakers_;  // by plugin; guarded
  std::atomic<std::uint32_t> troubled_{0};                   // breakers that have counted a failure
  call::remote_calls* elsewhere_ = nullptr;                  // null: what does not run here runs nowhere
  std::mutex probes_mutex_;
  std::unordered_map<std::string, remote_probe> probes_;  // by "caller>callee"; guarded, entries stay
};

}  // namespace gantry::runtime
