// Does a plan, step by step, and takes back what was done when a step fails.
// Thread: one.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "plan/steps.hpp"

namespace gantry::plan {

// What carries the steps out. `back`: takes back a step that was done, or half done.
struct hands {
  std::function<result<void>(const step& what, bool back)> perform;
  // Every host goes by the new topology from then on: where plugins run, and what it starts with; `back`: by the
  // former.
  std::function<result<void>(bool back)> adopt;
  std::function<void(const std::string& line)> tell;  // what happens, a line each
};

// In order; the topology is adopted once all that comes is there, before what else leaves and what restarts. A failure
// is that of the step that failed, once what was done before it has been taken back in reverse order; its text then
// says what could not be.
result<void> carry_out(const std::vector<step>& steps, const hands& by);

}  // namespace gantry::plan
