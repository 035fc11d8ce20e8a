#include <chrono>
#include <cstdio>
#include <thread>

#include "base/text.hpp"
#include "base/uuid.hpp"
#include "cli/commands.hpp"
#include "cli/planning.hpp"
#include "cli/remote_hands.hpp"
#include "plan/apply.hpp"

namespace gantry::cli {
namespace {

constexpr std::chrono::milliseconds ask_every{20};

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
  std::vector<std::string> lines;
  remote_hands hosts(*asked,
                     {.run = new_uuid_string(),
                      .force = with.force,
                      .probation_ms = with.probation_ms,
                      .ask = [](const remote_host& host, const std::string& method, const std::string& target,
                                const std::string& body) { return ask_host(host, method, target, body); },
                      .wait = [] { std::this_thread::sleep_for(ask_every); },
                      .time = &system_clock()},
                     [&](const std::string& line) {
                       lines.push_back(line);
                       if (with.json) return;
                       std::printf("%s\n", line.c_str());
                       std::fflush(stdout);
                     });
  const auto end_of = plan::carry_out(asked->made.steps, hosts.executor());
  if (!end_of)
    return end(with, *asked, lines, end_of.all_taken_back ? "taken back" : "not all could be taken back",
               end_of.done.failure().text);
  return end(with, *asked, lines, verdict == plan::verdict::nothing ? "nothing was to do" : "applied", {});
}

}  // namespace gantry::cli
