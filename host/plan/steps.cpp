#include "plan/steps.hpp"

#include <algorithm>
#include <iterator>

#include "plan/diff.hpp"

namespace gantry::plan {
namespace {

// What the others have found that only another life of the host's process can take over.
class restart_step : diff {
 public:
  restart_step(const host_view& view, findings& out) : diff(view, out) {}

  void find() {
    if (restart_.empty()) return;
    if (!view_.can_restart) {
      impossible("a restart of host " + view_.host, listed(restart_),
                 "nobody would start it again: end it and start it with the new topology");
      return;
    }
    auto& one = add(step_kind::restart, {}, "restart host " + view_.host);
    one.why = restart_;
    std::vector<std::string> alone;
    for (const auto& [id, settings] : next_.plugins)
      if (settings.hosts.size() == 1 && *settings.hosts.front() == view_.host) alone.push_back(id);
    one.effects.push_back("it drains, ends and starts anew: " +
                          (alone.empty()
                               ? "other hosts answer meanwhile"
                               : "requests to " + listed(alone) + " fail until it is back, their events wait"));
    if (*next_.bus.owner == view_.host && next_.hosts.size() > 1)
      one.effects.emplace_back("it owns the bus: events of the other hosts wait in their outboxes");
  }
};

}  // namespace

std::string_view name_of(step_kind kind) noexcept {
  switch (kind) {
    case step_kind::open_topic:
      return "topic";
    case step_kind::swap:
      return "swap";
    case step_kind::configure:
      return "configure";
    case step_kind::adjust:
      return "adjust";
    case step_kind::remove:
      return "remove";
    case step_kind::add:
      return "add";
    case step_kind::note:
      return "note";
    case step_kind::restart:
      return "restart";
    case step_kind::impossible:
      return "impossible";
  }
  return "";
}

step_kind opposite(step_kind kind) noexcept {
  if (kind == step_kind::add) return step_kind::remove;
  return kind == step_kind::remove ? step_kind::add : kind;
}

int order_of(const step& s) noexcept {
  switch (s.kind) {
    case step_kind::impossible:
      return 0;
    case step_kind::open_topic:
      return s.last ? 9 : 1;
    case step_kind::swap:
    case step_kind::configure:
      return 2;
    case step_kind::adjust:
      return 3;
    case step_kind::remove:
      return s.first ? 4 : 6;
    case step_kind::add:
      return 5;
    case step_kind::note:
      return 7;
    case step_kind::restart:
      return 8;
  }
  return 0;
}

std::vector<step> steps_of(const host_view& view) {
  findings found;
  find_steps_of_whole(view, found);
  find_steps_of_plugins(view, found);
  if (view.started != nullptr && view.started != view.now) {
    auto since = view;
    since.now = view.started;
    findings all;
    find_steps_of_whole(since, all);
    find_steps_of_plugins(since, all);
    std::ranges::copy_if(all.restart, std::back_inserter(found.restart),
                         [&](const auto& one) { return std::ranges::find(found.restart, one) == found.restart.end(); });
  }
  restart_step(view, found).find();
  return std::move(found.steps);
}

}  // namespace gantry::plan
