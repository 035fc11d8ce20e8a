#include "cli/deaths.hpp"

#include <algorithm>
#include <exception>
#include <utility>

#include "base/clock.hpp"
#include "lifecycle/loading.hpp"
#include "observability/log.hpp"
#include "supervisor/post_mortem.hpp"
#include "supervisor/quarantine.hpp"
#include "topology/isolation.hpp"

namespace gantry::cli {
namespace {

using observability::log_error;
using observability::log_warn;
using supervisor::finding;

constexpr std::size_t shown_frames = 8;

std::string shown_stack(const finding& what) {
  std::string out;
  for (std::size_t i = 0; i < what.stack.size() && i < shown_frames; ++i)
    out.append(out.empty() ? "" : " < ").append(blackbox::to_text(what.stack[i]));
  return out;
}

void say(const std::string& process, const finding& what, const std::string& report) {
  if (what.culprits.empty()) {
    log_error("A process of the host died, and no plugin is known to be at fault.",
              {{"host", process}, {"how", what.how}, {"stack", shown_stack(what)}, {"report", report}});
    return;
  }
  for (const auto& c : what.culprits)
    log_error(what.culprits.size() == 1 ? "A plugin ended the process that it ran in."
                                        : "A process of the host died, and this plugin may be at fault.",
              {{"host", process},
               {"plugin", c.plugin},
               {"generation", std::to_string(c.generation)},
               {"lane", c.thread},
               {"work", blackbox::to_text(c)},
               {"id", c.id},
               {"how", what.how},
               {"stack", shown_stack(what)},
               {"report", report}});
}

// The file as it is. One that can't be read is said, and counts as empty.
supervisor::quarantine known_of(const topology::topology& model, const std::string& host) {
  auto known = supervisor::read_quarantine(supervisor::quarantine_path(*model.state, host));
  if (known) return std::move(*known);
  log_error("The quarantine can't be read: all plugins run as the topology says.", {{"error", known.failure().text}});
  return {};
}

// Whether another generation comes up instead of the one at fault: that one was new, and has not proven itself.
bool is_replaced(const topology::topology& model, const std::string& host, const blackbox::thread_account& culprit) {
  const auto next = lifecycle::file_to_start(model, culprit.plugin, host);
  if (!next || next->generation == 0 || next->generation >= culprit.generation) return false;
  log_warn("The plugin goes back to the generation that it had before its swap.",
           {{"plugin", culprit.plugin},
            {"from", std::to_string(culprit.generation)},
            {"to", std::to_string(next->generation)}});
  return true;
}

}  // namespace

std::vector<runtime::deadly_work> deadly_work_of(const topology::topology& model, const std::string& host) {
  std::vector<runtime::deadly_work> out;
  for (auto& e : known_of(model, host).events) {
    const auto plugin = model.plugins.find(e.plugin);
    if (plugin == model.plugins.end()) continue;
    const bool poison = e.length == 1 && e.crashes >= *plugin->second.poison_after;
    out.push_back({e.plugin, e.job, e.topic, e.partition, e.offset, e.length, e.id, e.crashes, poison, e.why});
  }
  return out;
}

deaths::deaths(topology_of now, process_plan& plan, std::vector<std::string> hosts, std::function<void()> open_log)
    : now_(std::move(now)), plan_(plan), hosts_(std::move(hosts)), open_log_(std::move(open_log)) {
  for (const auto& host : hosts_) {
    follow(host);
    look_at(host);
  }
}

// What can't be read now leaves what was known. A file may say anything by now: whatever it is, those that run go on.
void deaths::follow(const std::string& process) {
  const auto [host, plugin] = topology::split_process(process);
  try {
    if (auto model = now_(process, plugin.empty() ? std::string() : *plan_.model_of(host).state))
      plan_.follow(host, std::move(*model));
  } catch (const std::exception& e) {
    log_error("What the host would start with can't be read.", {{"host", host}, {"error", e.what()}});
  }
}

void deaths::look_at(const std::string& host) {
  auto& of = quarantined_[host];
  of.clear();
  for (const auto& p : known_of(plan_.model_of(host), host).plugins) of.insert(p.plugin);
}

result<std::vector<supervisor::member>> deaths::members() {
  auto out = plan_.members(quarantined_);
  if (!out) return out;
  for (auto& m : *out) {
    m.principal = hosts_.size() == 1 && m.name == hosts_.front();
    // Alone it would take itself for a parent.
    if (std::find(m.arguments.begin(), m.arguments.end(), "--inner") == m.arguments.end())
      m.arguments.emplace_back("--no-supervisor");
  }
  return out;
}

supervisor::aftermath deaths::after(const supervisor::member& which, pid_t pid, const supervisor::exit_report& how) {
  const auto process = topology::split_process(which.name);
  // A plugin may have come to the host, or have been changed, since this process has looked last.
  follow(which.name);
  const auto& model = plan_.model_of(process.host);
  const auto& state = *model.state;
  const auto box = blackbox::read_box(supervisor::box_path(state, which.name));
  const auto what = supervisor::examine(box, pid, how, system_clock().steady_us());
  if (what.meant) {
    supervisor::aftermath out;
    // Whose quarantine has ended comes home when the host itself begins anew.
    if (how.code != supervisor::start_anew || !process.plugin.empty()) return out;
    look_at(process.host);
    if (auto next = members()) out.members = std::move(*next);
    return out;
  }
  if (!std::exchange(log_open_, true)) open_log_();
  const auto now = system_clock().wall_us();
  const auto kept = supervisor::keep_finding(state, which.name, pid, what, now);
  say(which.name, what, kept ? kept->string() : kept.failure().text);

  const auto note = [&](supervisor::quarantine& q) {
    for (const auto& c : what.culprits) {
      // The box was open to all code of the process that has died: a name that is none is not taken on.
      if (!model.plugins.contains(c.plugin) || is_replaced(model, process.host, c)) continue;
      const std::string why = blackbox::to_text(c) + ": " + what.how;
      // Who runs apart because the topology says so is in nobody's way.
      if (process.plugin.empty() || q.find(c.plugin) != nullptr) q.confine({c.plugin, c.generation, why, now});
      if (c.kind != blackbox::work_kind::event && c.kind != blackbox::work_kind::job) continue;
      const bool job = c.kind == blackbox::work_kind::job;
      const auto crashes = q.count({c.plugin, c.what, job, c.partition, c.offset, c.length, c.id, 0, why});
      log_warn("The process has died in this work before or now; at its bound it is not run again.",
               {{"plugin", c.plugin}, {"work", blackbox::to_text(c)}, {"deaths", std::to_string(crashes)}});
    }
    return !what.culprits.empty();
  };
  if (auto done = supervisor::change_quarantine(supervisor::quarantine_path(state, process.host), note); !done)
    log_error("The quarantine can't be written: the plugin runs where it ran.", {{"error", done.failure().text}});
  supervisor::aftermath out;
  out.meant = false;
  // Only the host's own end changes what runs apart from it: nothing else is to make it end.
  if (!process.plugin.empty()) return out;
  look_at(process.host);
  if (auto next = members()) {
    out.members = std::move(*next);
  } else {
    log_error("Plugins can't be taken apart.", {{"error", next.failure().text}});
  }
  return out;
}

}  // namespace gantry::cli
