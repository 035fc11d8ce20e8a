#include "cli/remote_hands.hpp"

#include <algorithm>
#include <cstdio>
#include <utility>

#include "base/uri.hpp"
#include "cli/answers.hpp"
#include "plan/applied.hpp"
#include "plan/differences.hpp"

namespace gantry::cli {
namespace {

using plan::step;
using plan::step_kind;

constexpr std::int64_t second_us = 1'000'000;
constexpr std::int64_t restart_at_most_us = 120 * second_us;
constexpr std::int64_t silence_at_most_us = 10 * second_us;  // of a host that does a step
constexpr std::int64_t busy_at_most_us = 120 * second_us;    // with what somebody else has asked for

}  // namespace

remote_hands::remote_hands(planning& asked, remote_options options, std::function<void(const std::string&)> tell)
    : asked_(asked), options_(std::move(options)), tell_(std::move(tell)) {}

plan::executor remote_hands::executor() {
  return {[this](const step& s, bool back) { return perform(s, back); }, [this](bool back) { return adopt(back); },
          tell_};
}

result<void> remote_hands::perform(const step& s, bool back) {
  const auto found = asked_.hosts.find(s.host);
  if (found == asked_.hosts.end()) return error{errc::not_found, "host " + s.host + " does not answer"};
  auto& host = found->second;
  if (s.kind == step_kind::restart) return restart(host, back);
  if (host.process == 0) {
    const auto now = find(host);
    if (!now) return error{errc::invalid, now.failure().text};
    host.process = read_count(*now, "process");
  }
  const auto kind = back ? plan::opposite(s.kind) : s.kind;
  return carry_out(host, {std::string(plan::name_of(kind)), s.subject, back ? std::string() : s.digest, back,
                          kind == step_kind::swap || kind == step_kind::configure});
}

// What one host can't take back keeps none of the others.
result<void> remote_hands::adopt(bool back) {
  error left{errc::internal, {}};
  for (auto& [name, host] : asked_.hosts) {
    const auto done = adopt_on(host, back);
    if (done) continue;
    const auto why = name + ": " + done.failure().text;
    if (!back) return error{done.failure().code, why};
    left = {done.failure().code, left.text + (left.text.empty() ? "" : "; ") + why};
  }
  if (!left.text.empty()) return left;
  return {};
}

result<void> remote_hands::adopt_on(planned_host& host, bool back) {
  if (host.process != 0 && !back) {
    const auto now = find(host);
    if (!now) return now.failure();
    if (read_count(*now, "process") != host.process)
      return error{errc::unavailable, "it has started anew since it did its steps, and may have lost them"};
  }
  if (auto done = carry_out(host, {"adopt", "-", {}, back, false}); !done) return done;
  host.runs = plan::digest_of_text(back ? host.applied : asked_.text);
  return {};
}

result<void> remote_hands::carry_out(planned_host& host, const order& what) {
  const auto until = options_.time->steady_us() + busy_at_most_us;
  auto begun = begin(host, what);
  // To go back is not given up because the host is busy for a while, with this very step perhaps.
  while (!begun && what.back && begun.failure().code == errc::conflict && !over(until)) {
    options_.wait();
    begun = begin(host, what);
  }
  if (!begun) return begun.failure();
  return wait_for(host, *begun, what.swaps ? what.subject : std::string());
}

result<std::string> remote_hands::begin(const planned_host& host, const order& what) {
  auto target = "/admin/step/" + what.kind + "/" + percent_encode(what.subject) +
                "?file=" + percent_encode(asked_.file) + "&run=" + options_.run;
  if (options_.force) target += "&force=1";
  if (what.back) target += "&back=1";
  if (!what.back) target += "&applied=" + host.runs;
  if (!what.digest.empty()) target += "&digest=" + what.digest;
  if (what.swaps && options_.probation_ms >= 0) target += "&probation_ms=" + std::to_string(options_.probation_ms);
  auto begun = options_.ask(host.at, "POST", target, what.back ? host.applied : asked_.text);
  if (!begun) return begun.failure();
  return read_text(*begun, "id");
}

// A host that is silent for a moment may still do what it was told.
result<void> remote_hands::wait_for(const planned_host& host, const std::string& id, const std::string& subject) {
  auto until = options_.time->steady_us() + silence_at_most_us;
  for (;; options_.wait()) {
    const auto now = options_.ask(host.at, "GET", "/admin/step?id=" + percent_encode(id), {});
    if (!now) {
      if (!over(until)) continue;
      return error{errc::unavailable, "whether it was done is not known: " + now.failure().text};
    }
    until = options_.time->steady_us() + silence_at_most_us;
    if (read_flag(*now, "running")) continue;
    if (const auto why = read_text(*now, "error"); !why.empty())
      return error{read_flag(*now, "stuck")     ? errc::corrupt
                   : read_flag(*now, "unknown") ? errc::unavailable
                                                : errc::internal,
                   why};
    if (!subject.empty()) tell_receipt(subject, *now);
    return {};
  }
}

void remote_hands::tell_receipt(const std::string& plugin, const std::string& body) const {
  const auto end = read_swap(body);
  if (!end || !end->ended) return;
  char pause[32];
  std::snprintf(pause, sizeof pause, "%.1f ms", static_cast<double>(end->lane_pause_us) / 1000);
  tell_("  " + plugin + " " + end->to_version + " is generation " + std::to_string(end->to_generation) +
        ": its events waited " + pause + ", " + std::to_string(end->held_requests) + " requests were held, " +
        std::to_string(end->request_errors) + " of " + std::to_string(end->requests) + " failed");
}

// Where the host answers now: where it was last, where the new topology has it, or where it was at first.
result<std::string> remote_hands::find(planned_host& host) const {
  error why{errc::unavailable, "it does not answer"};
  for (const auto* at : {&host.at, &host.then, &host.before}) {
    auto said = options_.ask(*at, "GET", "/admin/topology", {});
    if (!said) {
      why = said.failure();
    } else if (read_text(*said, "host") != host.at.name) {
      why = {errc::unavailable, at->address + " is host " + read_text(*said, "host") + " by now"};
    } else if (const auto system = read_text(*said, "system"); !host.system.empty() && system != host.system) {
      // Hosts of other systems have the same names.
      why = {errc::unavailable, at->address + " is a host of " + system + ", not of " + host.system};
    } else {
      host.at = remote_host(*at);
      return said;
    }
  }
  return why;
}

result<remote_hands::unwell> remote_hands::unwell_on(const planned_host& host) const {
  const auto said = options_.ask(host.at, "GET", "/admin/plugins", {});
  if (!said) return said.failure();
  const auto rows = read_plugins(*said);
  if (!rows) return rows.failure();
  unwell out;
  for (const auto& row : *rows) {
    if (row.state == "failed") out.failed.insert(row.id);
    if (row.isolated && row.state == "down") out.away.insert(row.id);
  }
  return out;
}

// The host ends, and whoever watches it starts it again, perhaps at another address.
result<void> remote_hands::restart(planned_host& host, bool back) {
  const auto until = options_.time->steady_us() + restart_at_most_us;
  auto now = find(host);
  // It may be on its way back from the restart that is to be taken back.
  while (!now && back && !over(until)) {
    options_.wait();
    now = find(host);
  }
  if (!now) return error{back ? errc::unavailable : errc::invalid, now.failure().text};
  if (back)
    if (auto done = adopt_on(host, true); !done) return done;
  // What the restart that is taken back has made unwell is to be well again.
  if (!back) unwell_before_.erase(host.at.name);
  if (!unwell_before_.contains(host.at.name)) {
    auto found = unwell_on(host);
    if (!found) return error{errc::invalid, found.failure().text};
    unwell_before_.emplace(host.at.name, std::move(*found));
  }
  const auto& text = back ? host.applied : asked_.text;
  auto target = "/admin/step/restart/-?run=" + options_.run;
  target += back ? "&back=1" : "&applied=" + host.runs;
  if (auto begun = options_.ask(host.at, "POST", target, text); !begun) return begun.failure();
  return comes_back(host, read_count(*now, "process"), unwell_before_.at(host.at.name), text);
}

// What comes back and is not what it should be has restarted all the same, so it counts as half done. What was not well
// before need not be now.
result<void> remote_hands::comes_back(planned_host& host, std::uint64_t former, const unwell& before,
                                      const std::string& text) {
  const auto newly = [&before](const std::set<std::string>& now) {
    std::vector<std::string> out;
    std::ranges::copy_if(now, std::back_inserter(out), [&before](const std::string& plugin) {
      return !before.failed.contains(plugin) && !before.away.contains(plugin);
    });
    return out;
  };
  const auto until = options_.time->steady_us() + restart_at_most_us;
  error late{errc::timeout, "it has not come back"};
  for (; !over(until); options_.wait()) {
    const auto now = find(host);
    if (!now || read_count(*now, "process") == former) continue;
    if (read_text(*now, "applied") != plan::digest_of_text(text))
      return error{errc::unavailable,
                   "it has come back with another topology: its file " + read_text(*now, "file") + " was edited"};
    const auto now_unwell = unwell_on(host);
    if (!now_unwell) continue;
    if (const auto failed = newly(now_unwell->failed); !failed.empty())
      return error{errc::unavailable, "it has come back without " + plan::listed(failed)};
    const auto away = newly(now_unwell->away);
    if (away.empty()) return {};
    late.text = "it has come back without the process of " + plan::listed(away);
  }
  return late;
}

}  // namespace gantry::cli
