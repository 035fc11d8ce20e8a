// A plugin of this host that runs in a process of its own. Its routes stand in this host's table like any other's; what
// arrives for them is passed on to its process.
// Implemented by app. Thread: any.
#pragma once

#include <memory>
#include <string>

namespace gantry::runtime {

struct inbound;
class reply_sink;

// What the table has to know of a route that is handled elsewhere.
struct apart_route {
  std::string method;
  std::string pattern;
  friend bool operator==(const apart_route&, const apart_route&) = default;
};

class plugin_apart {
 public:
  plugin_apart() = default;
  plugin_apart(const plugin_apart&) = delete;
  plugin_apart& operator=(const plugin_apart&) = delete;
  virtual ~plugin_apart() = default;

  virtual const std::string& id() const noexcept = 0;

  // Answers through the sink, also when the process is not there. Does not block.
  virtual void pass_on(inbound&& in, std::unique_ptr<reply_sink> sink) = 0;
};

}  // namespace gantry::runtime
