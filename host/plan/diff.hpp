// What the comparisons of a host's two topologies share: where they put what they find.
// Used only while steps are made; the views and topologies outlive that. Thread: any.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "plan/differences.hpp"
#include "plan/steps.hpp"

namespace gantry::plan {

struct findings {
  std::vector<step> steps;
  differences restart;  // why the host's process has to start anew
};

class diff {
 public:
  diff(const host_view& view, findings& out)
      : view_(view), now_(*view.now), next_(*view.next), steps_(out.steps), restart_(out.restart) {}

 protected:
  step& add(step_kind kind, std::string subject, std::string title) {
    auto& one = steps_.emplace_back();
    one.kind = kind;
    one.host = view_.host;
    one.subject = std::move(subject);
    one.title = std::move(title);
    return one;
  }

  void impossible(std::string title, std::string why, std::string what_to_do) {
    auto& one = add(step_kind::impossible, {}, std::move(title));
    one.why.push_back(std::move(why));
    one.effects.push_back(std::move(what_to_do));
  }

  void restart_for(const differences& reasons) { restart_.insert(restart_.end(), reasons.begin(), reasons.end()); }

  const host_view& view_;
  const topology::topology& now_;
  const topology::topology& next_;
  std::vector<step>& steps_;
  differences& restart_;
};

// Whether two urls lead to the same database, whoever they let in and however.
bool same_database(const std::string& a, const std::string& b);

// What concerns the bus, the topics and the host itself rather than one plugin.
void find_steps_of_whole(const host_view& view, findings& out);
// What concerns its plugins.
void find_steps_of_plugins(const host_view& view, findings& out);

// A plugin whose library is another file.
struct planned_swap {
  std::string id;
  const running_plugin* from;
  const found_library* to;
  differences config;
};
// Its steps, those first that break nothing for who runs by then.
void find_steps_of_swaps(const host_view& view, std::vector<planned_swap> swaps, findings& out);

// What users notice of a swap.
std::string effect_of_swap(const loader::manifest& from, const loader::manifest& to);

}  // namespace gantry::plan
