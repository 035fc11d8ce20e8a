#include "plan/apply.hpp"

#include <algorithm>

namespace gantry::plan {
namespace {

// Whether the hosts have to know of the new topology by then.
bool comes_after_adoption(const step& s) {
  return s.kind == step_kind::note || s.kind == step_kind::restart || (s.kind == step_kind::remove && !s.first);
}

std::string named(const step& s) { return s.host + ": " + s.title; }

class run {
 public:
  run(const std::vector<step>& steps, const hands& by) : steps_(steps), by_(by) {}

  result<void> go() {
    for (const auto& s : steps_) {
      if (comes_after_adoption(s) && !adopted_)
        if (auto done = adopt(); !done) return back(done.failure());
      if (s.kind == step_kind::note) continue;
      by_.tell(named(s));
      // Half done counts as done: to take back what was not done does no harm.
      done_.push_back(&s);
      if (auto done = by_.perform(s, false); !done) {
        if (takes_itself_back(s)) done_.pop_back();
        return back({done.failure().code, named(s) + ": " + done.failure().text});
      }
    }
    if (!adopted_)
      if (auto done = adopt(); !done) return back(done.failure());
    return {};
  }

 private:
  // A swap that fails leaves the former generation, a plugin that can't be added nothing, one that can't be removed
  // itself.
  static bool takes_itself_back(const step& s) { return s.kind != step_kind::restart; }

  result<void> adopt() {
    adopted_ = true;
    done_.push_back(nullptr);
    return by_.adopt(false);
  }

  error back(error why) {
    by_.tell("failed: " + why.text);
    std::vector<std::string> left;
    std::for_each(done_.rbegin(), done_.rend(), [&](const step* s) {
      by_.tell(s == nullptr ? std::string("taking back the topology") : "taking back " + named(*s));
      if (auto done = s == nullptr ? by_.adopt(true) : by_.perform(*s, true); !done)
        left.push_back((s == nullptr ? std::string("the topology") : named(*s)) + ": " + done.failure().text);
    });
    for (const auto& one : left) why.text += "; could not be taken back: " + one;
    return why;
  }

  const std::vector<step>& steps_;
  const hands& by_;
  std::vector<const step*> done_;  // null: the adoption
  bool adopted_ = false;
};

}  // namespace

result<void> carry_out(const std::vector<step>& steps, const hands& by) { return run(steps, by).go(); }

}  // namespace gantry::plan
