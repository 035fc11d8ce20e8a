// Threads that run tasks. A task never runs on two threads at once: that is what makes a lane a lane.
// Owned by app. Thread: any.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace gantry::runtime {

class worker_pool;

// Something that is run again and again, in sequence. Outlives its last run: see worker_pool::quiesce.
class task {
 public:
  task() = default;
  task(const task&) = delete;
  task& operator=(const task&) = delete;
  virtual ~task() = default;

  // Does what there is to do now. Called on a worker; never on two at once.
  virtual void run() = 0;

 private:
  friend class worker_pool;
  enum class state { idle, queued, running, running_again };
  std::atomic<state> state_{state::idle};
};

class worker_pool {
 public:
  // `name` shows in the system's thread lists (15 characters at most).
  worker_pool(std::size_t threads, std::string name);
  ~worker_pool();
  worker_pool(const worker_pool&) = delete;
  worker_pool& operator=(const worker_pool&) = delete;

  // Runs the task soon, at least once after this call began. Cheap when it is queued already.
  void schedule(task& t);

  // Returns when the task is neither queued nor running. Nobody may schedule it meanwhile.
  void quiesce(task& t);

  // Adds a thread, for one that is stuck in a plugin.
  void grow();

  // Ends the threads after what runs now; queued tasks stay undone.
  void stop();

 private:
  void work();

  const std::string name_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::condition_variable idle_;
  std::deque<task*> queue_;
  std::vector<std::thread> threads_;
  bool stopping_ = false;
};

}  // namespace gantry::runtime
