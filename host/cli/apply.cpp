#include "plan/apply.hpp"

#include <chrono>
#include <cstdio>
#include <thread>

#include "base/text.hpp"
#include "base/uri.hpp"
#include "cli/answers.hpp"
#include "cli/commands.hpp"
#include "cli/planning.hpp"

namespace gantry::cli {
namespace {

using plan::step;
using plan::step_kind;

constexpr std::chrono::milliseconds ask_every{20};
constexpr std::chrono::seconds restart_at_most{120};

// The running hosts as the hands of a plan.
class remote_hands {
 public:
  remote_hands(planning& asked, const plan_arguments& with) : asked_(asked), with_(with) {}

  plan::hands hands() {
    return {[this](const step& s, bool back) { return perform(s, back); }, [this](bool back) { return adopt(back); },
            [this](const std::string& line) { tell(line); }};
  }

  const std::vector<std::string>& lines() const noexcept { return lines_; }

 private:
  void tell(const std::string& line) {
    lines_.push_back(line);
    if (with_.json) return;
    std::printf("%s\n", line.c_str());
    std::fflush(stdout);
  }

  result<void> perform(const step& s, bool back) {
    const auto found = asked_.hosts.find(s.host);
    if (found == asked_.hosts.end()) return error{errc::unavailable, "host " + s.host + " does not answer"};
    auto& host = found->second;
    if (s.kind == step_kind::restart) {
      if (back)
        if (auto done = carry_out(host, "adopt", "-", true, false); !done) return done;
      return restart(host);
    }
    const auto kind = !back                         ? s.kind
                      : s.kind == step_kind::add    ? step_kind::remove
                      : s.kind == step_kind::remove ? step_kind::add
                                                    : s.kind;
    const bool swaps = kind == step_kind::swap || kind == step_kind::configure;
    return carry_out(host, std::string(plan::name_of(kind)), s.subject, back, swaps);
  }

  result<void> adopt(bool back) {
    for (auto& [name, host] : asked_.hosts)
      if (auto done = carry_out(host, "adopt", "-", back, false); !done)
        return error{done.failure().code, name + ": " + done.failure().text};
    return {};
  }

  // Begins a step on a host and waits for its end.
  result<void> carry_out(const planned_host& host, const std::string& kind, const std::string& subject, bool back,
                         bool swaps) {
    auto target = "/admin/step/" + kind + "/" + percent_encode(subject) + "?file=" + percent_encode(asked_.file);
    if (with_.force) target += "&force=1";
    if (back) target += "&back=1";
    if (swaps && with_.probation_ms >= 0) target += "&probation_ms=" + std::to_string(with_.probation_ms);
    const auto& text = back ? host.applied : asked_.text;
    if (auto begun = ask_host(host.at, "POST", target, text); !begun) return begun.failure();
    for (;;) {
      const auto now = ask_host(host.at, "GET", "/admin/step");
      if (!now) return now.failure();
      if (!read_flag(*now, "running")) {
        if (const auto why = read_text(*now, "error"); !why.empty()) return error{errc::internal, why};
        return {};
      }
      std::this_thread::sleep_for(ask_every);
    }
  }

  // The host ends and whoever watches it starts it again, perhaps at another address.
  result<void> restart(planned_host& host) {
    const auto before = ask_host(host.at, "GET", "/admin/topology");
    if (!before) return before.failure();
    const auto process = read_count(*before, "process");
    if (auto begun = ask_host(host.at, "POST", "/admin/step/restart/-", asked_.text); !begun) return begun.failure();
    const auto until = std::chrono::steady_clock::now() + restart_at_most;
    while (std::chrono::steady_clock::now() < until) {
      for (const auto& at : {host.then, host.at}) {
        const auto now = ask_host(at, "GET", "/admin/topology");
        if (!now || read_count(*now, "process") == process) continue;
        host.at = at;
        return {};
      }
      std::this_thread::sleep_for(ask_every);
    }
    return error{errc::timeout, "it has not come back"};
  }

  planning& asked_;
  const plan_arguments& with_;
  std::vector<std::string> lines_;
};

int end(const plan_arguments& with, const planning& asked, const std::vector<std::string>& lines,
        const std::string& outcome, const std::string& why) {
  if (!with.json) {
    std::printf("%s: %s%s%s\n", asked.made.name.c_str(), outcome.c_str(), why.empty() ? "" : ": ", why.c_str());
    return why.empty() ? 0 : 1;
  }
  std::string out = "{\"outcome\":";
  append_json_string(out, outcome);
  out += ",\"error\":";
  append_json_string(out, why);
  out += ",\"done\":[";
  for (std::size_t i = 0; i < lines.size(); ++i) {
    if (i != 0) out += ',';
    append_json_string(out, lines[i]);
  }
  std::printf("%s],\"plan\":%s}\n", out.c_str(), to_json(asked.made).c_str());
  return why.empty() ? 0 : 1;
}

}  // namespace

int apply(const plan_arguments& with) {
  auto asked = ask_hosts(with);
  if (!asked) return 1;
  const auto verdict = verdict_of(asked->made);
  if (!with.json) std::printf("%s", to_text(asked->made).c_str());
  if (verdict == plan::verdict::refused) return end(with, *asked, {}, "refused", "see the plan");
  if (!with.plan.empty() && with.plan != asked->made.hash)
    return end(with, *asked, {}, "refused",
               "this is plan " + asked->made.hash + ", not " + with.plan + ": the file or what runs has changed since");
  remote_hands hosts(*asked, with);
  const auto done = plan::carry_out(asked->made.steps, hosts.hands());
  if (!done) return end(with, *asked, hosts.lines(), "taken back", done.failure().text);
  return end(with, *asked, hosts.lines(), verdict == plan::verdict::nothing ? "nothing was to do" : "applied", {});
}

}  // namespace gantry::cli
