// A plugin of this host that runs in a process of its own, as this host's process sees it: passes requests on, and
// knows how the other process is.
//
// Requests wait for a thread in a bounded queue of this plugin alone, and the threads wait for its process: one that
// hangs or is away keeps nobody else's requests.
//
// Owned by host_process. Thread: any.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "admin/apart.hpp"
#include "app/host_process.hpp"
#include "app/process_state.hpp"
#include "base/clock.hpp"
#include "base/result.hpp"
#include "call/remote/forwarder.hpp"
#include "http/endpoint.hpp"
#include "observability/metrics.hpp"
#include "runtime/apart.hpp"
#include "runtime/dispatcher.hpp"
#include "runtime/request_pool.hpp"
#include "topology/topology.hpp"

namespace gantry::app {

struct isolated_options {
  std::string plugin;
  std::string process;  // its name
  std::string address;  // inner
  std::string key;
  std::vector<runtime::apart_route> routes;  // by the manifest, until the process says which it has
  std::size_t queue_max = 4096;              // requests that wait, and calls of other hosts that do
  std::size_t max_headers = 16 * 1024;
  std::int64_t deadline_us = 30'000'000;  // of a request that brings none
};

class isolated_plugin final : public runtime::plugin_apart {
 public:
  // invalid: the address is none. `metrics` and `time` outlive it.
  static result<std::shared_ptr<isolated_plugin>> make(isolated_options options, observability::registry& metrics,
                                                       const clock& time);
  ~isolated_plugin() override;

  // Begins to look after the process. `routes_changed` is called on a thread of this object whenever routes() has
  // become another.
  void watch(std::function<void()> routes_changed);
  // Ends that, and the threads; what waits, in the queue or for a reply, is answered by that this host ends. Nothing
  // may be passed on afterwards.
  void stop();

  const std::string& id() const noexcept override { return options_.plugin; }
  void pass_on(runtime::inbound&& in, std::unique_ptr<runtime::reply_sink> sink) override;

  std::vector<runtime::apart_route> routes() const;
  // Why its process is not ready.
  result<void> health() const;
  std::int64_t pid() const;  // 0: it has not said yet, or is away

  // Asks its process; for operations. Waits at most `at_most`. timeout: there was no answer in that time. unavailable:
  // there will be none.
  result<http::reply> ask(std::string_view method, std::string_view target, std::chrono::milliseconds at_most,
                          std::string_view body = {});

  // Asks its process to drain and end within this time, unless it has heard that already. Waits for its answer for a
  // quarter of a second at most: one that is busy is to be asked again.
  void end(std::chrono::milliseconds within);
  // Whether the process that heard it has ended, or there was none.
  bool has_ended() const;

  // For a ticker: returns at once.
  void close_idle();

 private:
  class passing;
  struct probe {
    observability::counter* requests = nullptr;
    observability::counter* unanswered = nullptr;
    observability::histogram* latency = nullptr;
  };

  isolated_plugin(isolated_options options, std::unique_ptr<call::forwarder> way, observability::registry& metrics,
                  const clock& time);
  call::remote_outcome send(std::string_view method, std::string_view target, std::chrono::milliseconds at_most,
                            std::string_view body = {});
  void look();
  void take(result<process_state> seen);
  result<process_state> ask_state();

  const isolated_options options_;
  const std::unique_ptr<call::forwarder> way_;
  const clock& time_;
  probe counts_;
  runtime::request_pool workers_;
  mutable std::mutex mutex_;
  process_state last_;        // guarded by mutex_
  bool told_to_end_ = false;  // it has heard it, or there is none; guarded by mutex_
  std::int64_t ending_ = 0;   // the process that has; 0: none; guarded by mutex_
  std::string away_;          // why there is no answer; empty: there is; guarded by mutex_
  int late_ = 0;              // looks in a row that took too long; guarded by mutex_
  bool stopping_ = false;     // guarded by mutex_
  std::condition_variable wake_;
  std::function<void()> routes_changed_;
  std::thread watcher_;
};

// Those of `host` that the family has processes for. A plugin whose file can't be read has no routes until its process
// says some. invalid: an address that is none.
result<std::vector<std::shared_ptr<isolated_plugin>>> isolated_plugins_of(const topology::topology& model,
                                                                          const std::string& host,
                                                                          const host_family& family,
                                                                          observability::registry& metrics,
                                                                          const clock& time);

// All of a host, as its operations ask them.
class isolated_operations final : public admin::apart {
 public:
  // `all` outlives it.
  explicit isolated_operations(const std::vector<std::shared_ptr<isolated_plugin>>& all) : all_(all) {}

  std::vector<std::string> plugins() const override;
  result<http::reply> ask(std::string_view plugin, std::string_view method, std::string_view target,
                          std::chrono::milliseconds at_most, std::string_view body) override;

 private:
  const std::vector<std::shared_ptr<isolated_plugin>>& all_;
};

}  // namespace gantry::app
