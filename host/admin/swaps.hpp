// Swaps that operators ask for: one at a time on a host, on a thread of their own, because draining and probation take
// seconds. Owned by operations. Thread: any.
#pragma once

#include <atomic>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "admin/question.hpp"
#include "http/endpoint.hpp"
#include "lifecycle/plugin_set.hpp"

namespace gantry::admin {

class swaps {
 public:
  // `state`: the topology's state directory, where receipts are kept.
  swaps(lifecycle::plugin_set& plugins, std::string state, std::string host)
      : plugins_(plugins), state_(std::move(state)), host_(std::move(host)) {}
  ~swaps() { end(); }
  swaps(const swaps&) = delete;
  swaps& operator=(const swaps&) = delete;

  // Gives up the one under way, waits for its end, and begins none any more.
  void end();

  // POST swap/{plugin}?file=&force=1&probation_ms=: 200 when it has begun, 404, 409 while another one is under way.
  http::reply begin(const question& what);
  // GET swap/{plugin}: {"running":bool,"steps":[{"name","us"}],"receipt":{...} or null} of the one under way, or the
  // last.
  http::reply progress(const question& what);

 private:
  void run(const lifecycle::swap_request& what);

  lifecycle::plugin_set& plugins_;
  const std::string state_;
  const std::string host_;
  std::atomic<bool> given_up_{false};
  std::mutex mutex_;
  std::string plugin_;                       // of the swap under way; guarded by mutex_, empty: none
  std::vector<lifecycle::swap_step> steps_;  // of it; guarded by mutex_
  std::map<std::string, std::string> last_;  // receipts of this process, by plugin; guarded by mutex_
  std::thread thread_;                       // guarded by mutex_
};

}  // namespace gantry::admin
