// Does a plan, step by step, and takes back what was done when a step fails.
// Thread: one.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "plan/steps.hpp"

namespace gantry::plan {

// What carries the steps out.
struct executor {
  // `back`: takes back a step that was done, half done, or, as nobody knows, perhaps not done at all. A failure with
  // unavailable, timeout or io: what has become of the step is not known; with corrupt: it is half done and can't be
  // taken back; any other: it has taken itself back.
  std::function<result<void>(const step& what, bool back)> perform;
  // Every host goes by the new topology from then on: where plugins run, and what it starts with; `back`: by the
  // former. Half done when it fails; with `back` it has tried each host.
  std::function<result<void>(bool back)> adopt;
  std::function<void(const std::string& line)> tell;  // what happens, a line each
};

struct carried_out {
  result<void> done;           // a failure: of the step that failed, and what could not be taken back
  bool all_taken_back = true;  // false: the hosts run neither the former nor the new topology

  explicit operator bool() const noexcept { return done.ok(); }
};

// In order; the topology is adopted once all that comes is there, before what else leaves and what restarts. When a
// step fails what was done before it is taken back in reverse order.
carried_out carry_out(const std::vector<step>& steps, const executor& by);

}  // namespace gantry::plan
