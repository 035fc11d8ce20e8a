// Work in which the process has died before: told to a host when it starts, so that nobody does it again and again.
// Owned by whoever runs the host, constant while that runs. Thread: any.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace gantry::runtime {

struct deadly_work {
  std::string plugin;
  bool job = false;
  std::string name;  // topic of the event, or kind of the job
  std::uint32_t partition = 0;
  std::uint64_t offset = 0;
  std::uint64_t length = 1;  // more: one of so many events, from offset on; each is given to its handler alone
  std::string id;            // its first characters; on another bus an offset means another event
  std::uint64_t crashes = 0;
  bool poison = false;  // not to be run again
  std::string why;      // what happened the last time
};

}  // namespace gantry::runtime
