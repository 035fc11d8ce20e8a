#include "plan/apply.hpp"

#include <algorithm>

namespace gantry::plan {
namespace {

// Whether the hosts have to know of the new topology by then.
bool comes_after_adoption(const step& s) {
  return s.kind == step_kind::note || s.kind == step_kind::restart || (s.kind == step_kind::remove && !s.first) ||
         s.last;
}

std::string named(const step& s) { return s.host + ": " + s.title; }

// A swap that fails leaves the former generation, a plugin that can't be added nothing, one that can't be removed
// itself: but only whoever does it knows that it has failed.
bool may_be_done(errc why) { return why == errc::unavailable || why == errc::timeout || why == errc::io; }

class run {
 public:
  run(const std::vector<step>& steps, const executor& by) : steps_(steps), by_(by) {}

  carried_out go() {
    for (const auto& s : steps_) {
      if (comes_after_adoption(s) && !adopted_)
        if (auto done = adopt(); !done) return back(done.failure());
      if (s.kind == step_kind::note) continue;
      by_.tell(named(s));
      done_.push_back(&s);
      if (auto done = by_.perform(s, false); !done) {
        const auto& why = done.failure();
        if (!may_be_done(why.code)) done_.pop_back();
        auto end = back({why.code, named(s) + ": " + why.text});
        end.all_taken_back = end.all_taken_back && why.code != errc::corrupt;
        return end;
      }
    }
    if (!adopted_)
      if (auto done = adopt(); !done) return back(done.failure());
    return {};
  }

 private:
  result<void> adopt() {
    adopted_ = true;
    done_.push_back(nullptr);
    return by_.adopt(false);
  }

  carried_out back(error why) {
    by_.tell("failed: " + why.text);
    std::vector<std::string> left;
    std::for_each(done_.rbegin(), done_.rend(), [&](const step* s) {
      by_.tell(s == nullptr ? std::string("taking back the topology") : "taking back " + named(*s));
      if (auto done = s == nullptr ? by_.adopt(true) : by_.perform(*s, true); !done)
        left.push_back((s == nullptr ? std::string("the topology") : named(*s)) + ": " + done.failure().text);
    });
    for (const auto& one : left) why.text += "; could not be taken back: " + one;
    return {std::move(why), left.empty()};
  }

  const std::vector<step>& steps_;
  const executor& by_;
  std::vector<const step*> done_;  // null: the adoption
  bool adopted_ = false;
};

}  // namespace

carried_out carry_out(const std::vector<step>& steps, const executor& by) { return run(steps, by).go(); }

}  // namespace gantry::plan
