// A plan as a person reads it.
#include <algorithm>

#include "plan/plan.hpp"

namespace gantry::plan {
namespace {

void add(std::string& out, std::string_view label, const std::vector<std::string>& lines) {
  constexpr std::size_t width = 9;
  for (const auto& line : lines) {
    out.append("     ").append(label).append(label.size() < width ? width - label.size() : 1, ' ');
    out.append(line).append("\n");
  }
}

std::string counted(std::size_t n, const char* one) { return std::to_string(n) + " " + one + (n == 1 ? "" : "s"); }

std::string summary(const plan& plan) {
  const auto errors = std::count_if(plan.problems.begin(), plan.problems.end(),
                                    [](const auto& p) { return p.level == topology::severity::error; });
  if (errors != 0) return "refused: " + counted(static_cast<std::size_t>(errors), "error") + " in the new topology";
  const auto impossible = std::count_if(plan.steps.begin(), plan.steps.end(),
                                        [](const step& s) { return s.kind == step_kind::impossible; });
  if (impossible != 0)
    return "refused: " + counted(static_cast<std::size_t>(impossible), "change") + " can't be applied";
  const auto breaking =
      std::count_if(plan.steps.begin(), plan.steps.end(), [](const step& s) { return !s.breaks.empty(); });
  if (breaking != 0 && !plan.force)
    return "refused: " + counted(static_cast<std::size_t>(breaking), "step") + (breaking == 1 ? " breaks" : " break") +
           " something; --force overrules that";
  return counted(plan.steps.size(), "step") + "; apply with --plan " + plan.hash;
}

}  // namespace

std::string to_text(const step& step, bool force) {
  std::string out;
  if (!step.host.empty()) out.append(step.host).append(": ");
  out.append(step.title).append("\n");
  add(out, "because", step.why);
  add(out, step.kind == step_kind::impossible ? "instead" : "users", step.effects);
  add(out, force ? "breaks" : "BREAKS", step.breaks);
  return out;
}

std::string to_text(const plan& plan) {
  std::string out;
  for (const auto& p : plan.problems) out.append(topology::to_text(p)).append("\n");
  for (const auto& host : plan.silent)
    out.append("host ").append(host).append(
        " does not answer: it may still run the former topology, and takes the new one when it starts\n");
  if (topology::has_errors(plan.problems)) return out + summary(plan) + "\n";
  if (plan.steps.empty()) return out + plan.name + ": nothing to do\n";
  std::size_t number = 0;
  for (const auto& step : plan.steps) {
    if (step.kind == step_kind::impossible) {
      out += "  ! ";
      auto whole = step;
      whole.host.clear();
      out += to_text(whole, plan.force);
    } else {
      const auto n = std::to_string(++number);
      out.append(n.size() < 2 ? 2 - n.size() : 0, ' ').append(n).append(". ").append(to_text(step, plan.force));
    }
  }
  return out + plan.name + ": " + summary(plan) + "\n";
}

}  // namespace gantry::plan
