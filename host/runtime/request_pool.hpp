// Threads for requests and jobs: apart from the lane workers, so that a request that waits never starves a lane.
//
// Calls that come from other hosts go first, and each plugin has a few threads in reserve for those that find no worker
// free: they serve nothing else. So a chain of calls that comes back to this host ends however many requests wait here
// (docs/adr/0015-reserved-workers-for-calls.md).
//
// Owned by app. Thread: any.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
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
  static constexpr std::size_t reserved_workers = 2;  // of each plugin that is called from other hosts

  // `queue_max`: of requests, and of each plugin's incoming calls. Throws std::runtime_error when no thread at all
  // could be started.
  //
  // `most`: threads that it may grow to while work waits for one; 0: it stays as it is.
  request_pool(std::size_t threads, std::size_t queue_max, std::string name, std::size_t most = 0);
  ~request_pool();
  request_pool(const request_pool&) = delete;
  request_pool& operator=(const request_pool&) = delete;

  // Queues work; false when the queue is full or the pool has stopped: `w` is then untouched.
  bool submit(std::unique_ptr<work>& w);
  // Also beyond the bound: for work that is bounded elsewhere. False only when the pool has stopped.
  bool submit_always(std::unique_ptr<work>& w);
  // Queues a call to `plugin` from another host, before all requests. False as above.
  bool submit_call(std::string_view plugin, std::unique_ptr<work>& w);

  // One more thread, if the system gives one. When it gives none, here or for a call, the others go on and the log says
  // so.
  void grow();
  // Runs what is queued, then ends the threads.
  void stop();

 private:
  // The calls to one plugin, and the threads that serve them alone. Made with its first call; never removed.
  struct reserve {
    std::deque<std::unique_ptr<work>> calls;
    std::condition_variable wake;
    std::size_t threads = 0;
    std::size_t idle = 0;
  };

  bool push(std::unique_ptr<work>& w, bool bounded);
  reserve& reserve_of(std::string_view plugin);
  bool start(std::string_view name, std::function<void()> serving);
  void start_reserved(reserve& of);
  void start_another();
  void cover();
  std::unique_ptr<work> next_call();
  std::unique_ptr<work> next();
  static std::unique_ptr<work> take(std::deque<std::unique_ptr<work>>& from);
  void serve();
  void serve_reserved(reserve& of);

  const std::size_t queue_max_;
  const std::string name_;
  const std::size_t most_;
  std::mutex mutex_;  // guards all below
  std::condition_variable wake_;
  std::deque<std::unique_ptr<work>> queue_;
  std::map<std::string, reserve, std::less<>> reserves_;
  std::size_t calls_ = 0;  // queued, of all plugins
  std::size_t idle_ = 0;   // workers that wait for work, reserved ones aside
  std::vector<std::thread> threads_;
  bool refused_ = false;  // the system gave no thread when it was asked last
  bool stopping_ = false;
};

}  // namespace gantry::runtime
