// While it lives, the system gives no more threads: each would have a stack larger than any address space.
#pragma once

#include <pthread.h>

#include <cstddef>

namespace gantry::testing {

class thread_famine {
 public:
  thread_famine() {
    pthread_getattr_default_np(&before_);
    pthread_attr_t none;
    pthread_getattr_default_np(&none);
    pthread_attr_setstacksize(&none, std::size_t{1} << 62U);
    pthread_setattr_default_np(&none);
    pthread_attr_destroy(&none);
  }
  ~thread_famine() {
    pthread_setattr_default_np(&before_);
    pthread_attr_destroy(&before_);
  }
  thread_famine(const thread_famine&) = delete;
  thread_famine& operator=(const thread_famine&) = delete;

 private:
  pthread_attr_t before_{};
};

}  // namespace gantry::testing
