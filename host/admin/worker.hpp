// One thread for the operations that wait: for a store, for the log, for plugin code.
// Owned by operations. Thread: any.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>

namespace gantry::admin {

class worker {
 public:
  // `stopping` becomes true when it ends: work in progress should then come to its end.
  worker(std::size_t queue_max, std::atomic<bool>& stopping)
      : queue_max_(queue_max), stopping_(stopping), thread_([this] { run(); }) {}
  ~worker();
  worker(const worker&) = delete;
  worker& operator=(const worker&) = delete;

  // False, and nothing taken: the queue is full.
  bool submit(std::function<void()>&& what);

 private:
  void run();

  const std::size_t queue_max_;
  std::atomic<bool>& stopping_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::function<void()>> queue_;  // guarded by mutex_
  std::thread thread_;                       // last: it uses what stands above
};

}  // namespace gantry::admin
