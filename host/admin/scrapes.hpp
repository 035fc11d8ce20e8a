// GET /metrics, off the endpoint's thread. The lag of consumers is asked of the bus, which may wait for its servers:
// that has a thread of its own, and a scrape waits for it only so long; then it shows what was known last. Owned by
// operations. Thread: any.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <string>

#include "admin/worker.hpp"
#include "http/endpoint.hpp"
#include "observability/metrics.hpp"

namespace gantry::admin {

class scrapes {
 public:
  // `measure` brings up to date what is not counted as it happens; it may wait. A scrape waits for it at most
  // `at_most`. `complete` puts into the exposition what other processes have to add; it may wait as well.
  scrapes(const observability::registry& metrics, std::function<void()> measure, std::chrono::milliseconds at_most,
          std::function<void(std::string&)> complete = {});
  // Answers what waits with 503. Waits for a measurement that is under way.
  ~scrapes();
  scrapes(const scrapes&) = delete;
  scrapes& operator=(const scrapes&) = delete;

  // 200 with the exposition; 503 when too many wait.
  void answer(http::responder&& out);

 private:
  void scrape(http::responder&& out);
  void measure();

  const observability::registry& metrics_;
  const std::function<void()> measure_;
  const std::chrono::milliseconds at_most_;
  const std::function<void(std::string&)> complete_;
  std::atomic<bool> stopping_{false};
  std::mutex mutex_;
  std::condition_variable measured_;
  bool measuring_ = false;  // guarded by mutex_
  worker measurer_;         // these last: they use what stands above
  worker scraper_;
};

}  // namespace gantry::admin
