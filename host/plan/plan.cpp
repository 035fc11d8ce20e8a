#include "plan/plan.hpp"

#include <algorithm>

#include "loader/file_image.hpp"

namespace gantry::plan {
namespace {

// Whether one host's doing is all hosts': what concerns the whole is said by each of them.
bool is_shared(const step& s) {
  return s.kind == step_kind::impossible || s.kind == step_kind::open_topic ||
         (s.kind == step_kind::note && !s.subject.empty());
}

// A plugin must not leave before somebody is there to have it.
bool leaves_for_nobody(const step& s, const std::vector<std::string>& silent) {
  return s.kind == step_kind::remove && !s.hosts.empty() &&
         std::all_of(s.hosts.begin(), s.hosts.end(),
                     [&](const auto& h) { return std::find(silent.begin(), silent.end(), h) != silent.end(); });
}

bool same(const topology::problem& a, const topology::problem& b) {
  return a.at == b.at && a.level == b.level && a.message == b.message;
}

}  // namespace

plan make_plan(std::string name, std::string_view text, std::vector<host_answer> answers,
               std::vector<std::string> silent, bool force) {
  std::sort(answers.begin(), answers.end(), [](const auto& a, const auto& b) { return a.host < b.host; });
  std::sort(silent.begin(), silent.end());
  plan out;
  out.name = std::move(name);
  out.force = force;
  std::string all(text);
  for (auto& answer : answers) {
    all.append("\n").append(to_json(answer));
    for (auto& p : answer.problems)
      if (std::none_of(out.problems.begin(), out.problems.end(), [&](const auto& q) { return same(p, q); }))
        out.problems.push_back(std::move(p));
    for (auto& s : answer.steps) {
      const bool known = is_shared(s) && std::any_of(out.steps.begin(), out.steps.end(), [&](const step& o) {
                           return o.kind == s.kind && o.title == s.title && o.why == s.why;
                         });
      if (known) continue;
      if (leaves_for_nobody(s, silent)) {
        s.kind = step_kind::impossible;
        s.why.emplace_back("no such host answers");
        s.effects = {"start that host with the new topology first"};
      }
      out.steps.push_back(std::move(s));
    }
  }
  for (const auto& host : silent) all.append("\nsilent ").append(host);
  topology::sort_by_place(out.problems);
  std::stable_sort(out.steps.begin(), out.steps.end(),
                   [](const step& a, const step& b) { return order_of(a) < order_of(b); });
  out.silent = std::move(silent);
  out.hash = loader::digest_of({{}, all}).substr(0, 16);
  return out;
}

host_answer silent_leaver(const std::string& host, std::string applied, const std::string& note) {
  step gone;
  gone.kind = step_kind::impossible;
  gone.host = host;
  gone.title = "host " + host + " does not answer and is not in the new topology";
  gone.why.emplace_back("it may still run what it had");
  gone.effects.push_back("start it, and it can be told; or make sure that its process has ended, and remove " + note);
  return {host, std::move(applied), {}, {std::move(gone)}};
}

verdict verdict_of(const plan& plan) {
  const bool refused =
      topology::has_errors(plan.problems) || std::any_of(plan.steps.begin(), plan.steps.end(), [&](const step& s) {
        return s.kind == step_kind::impossible || (!s.breaks.empty() && !plan.force);
      });
  if (refused) return verdict::refused;
  return plan.steps.empty() ? verdict::nothing : verdict::changes;
}

}  // namespace gantry::plan
