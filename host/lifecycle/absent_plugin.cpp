#include "lifecycle/absent_plugin.hpp"

#include <algorithm>

#include "runtime/dispatcher.hpp"

namespace gantry::lifecycle {

void absent_plugin::pass_on(runtime::inbound&& in, std::unique_ptr<runtime::reply_sink> sink) {
  auto out = runtime::problem_for(GANTRY_UNAVAILABLE, id_ + " does not run on this host now");
  const auto asked = std::ranges::find(in.headers, "correlation-id", &std::pair<std::string, std::string>::first);
  if (asked != in.headers.end()) out.headers.emplace_back(*asked);
  sink->send(std::move(out));
}

}  // namespace gantry::lifecycle
