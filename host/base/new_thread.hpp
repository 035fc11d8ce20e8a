// A thread, or why the system gives none.
#pragma once

#include <string>
#include <system_error>
#include <thread>
#include <utility>

#include "base/result.hpp"

namespace gantry {

// Begins a thread that runs `what`. unavailable: a limit of the process or of the system. Thread: any.
template <typename What>
result<std::thread> new_thread(What&& what) {
  try {
    return std::thread(std::forward<What>(what));
  } catch (const std::system_error& e) {
    return error{errc::unavailable, std::string("the system gives no thread: ") + e.what()};
  }
}

}  // namespace gantry
