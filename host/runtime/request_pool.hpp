// Threads for requests and jobs: apart from the lane workers, so that a request that waits never starves a lane.
// Owned by app. Thread: any.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace gantry::runtime {

class work {
 public:
  work() = default;
  work(const work&) = delete;
  work& operator=(const work&) = delete;
  virtual ~work() = default;
  virtual void run() = 0;
};

class request_pool {
 public:
  request_pool(std::size_t threads, std::size_t queue_max, std::string name);
  ~request_pool();
  request_pool(const request_pool&) = delete;
  request_pool& operator=(const request_pool&) = delete;

  // Queues work; false when the queue is full or the pool has stopped: `w` is then untouched.
  bool submit(std::unique_ptr<work>& w);
  // Also beyond the bound: for work that is bounded elsewhere. False only when the pool has stopped.
  bool submit_always(std::unique_ptr<work>& w);

  void grow();
  // Runs what is queued, then ends the threads.
  void stop();

 private:
  bool push(std::unique_ptr<work>& w, bool bounded);
  void serve();

  const std::size_t queue_max_;
  const std::string name_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::unique_ptr<work>> queue_;
  std::vector<std::thread> threads_;
  bool stopping_ = false;
};

}  // namespace gantry::runtime
