// Plans and hosts' answers as JSON, and back.
#include "plan/json_reading.hpp"
#include "plan/plan.hpp"

namespace gantry::plan {
namespace {

json::array list_of(const std::vector<std::string>& texts) {
  json::array out;
  for (const auto& one : texts) out.emplace_back(text_of(one));
  return out;
}

json::object object_of(const step& s) {
  json::object out{{"kind", text_of(name_of(s.kind))}, {"host", text_of(s.host)}, {"subject", text_of(s.subject)},
                   {"title", text_of(s.title)},        {"why", list_of(s.why)},   {"effects", list_of(s.effects)},
                   {"breaks", list_of(s.breaks)}};
  if (!s.hosts.empty()) out["hosts"] = list_of(s.hosts);
  if (s.first) out["first"] = true;
  if (s.last) out["last"] = true;
  if (s.between_hosts) out["betweenHosts"] = true;
  if (!s.digest.empty()) out["digest"] = text_of(s.digest);
  return out;
}

json::object object_of(const topology::problem& p) {
  return {{"file", text_of(p.file)},
          {"line", p.at.line},
          {"column", p.at.column},
          {"severity", text_of(topology::name_of(p.level))},
          {"message", text_of(p.message)}};
}

template <typename T>
json::array objects_of(const std::vector<T>& all) {
  json::array out;
  for (const auto& one : all) out.emplace_back(object_of(one));
  return out;
}

bool read_kind(const std::string& name, step_kind& out) {
  for (const auto kind :
       {step_kind::open_topic, step_kind::swap, step_kind::configure, step_kind::adjust, step_kind::remove,
        step_kind::add, step_kind::note, step_kind::restart, step_kind::impossible})
    if (name == name_of(kind)) {
      out = kind;
      return true;
    }
  return false;
}

}  // namespace

std::string to_json(const host_answer& a) {
  return json::serialize(json::object{{"host", text_of(a.host)},
                                      {"applied", text_of(a.applied)},
                                      {"problems", objects_of(a.problems)},
                                      {"steps", objects_of(a.steps)}});
}

std::string to_json(const plan& plan) {
  const auto verdict = verdict_of(plan);
  return json::serialize(json::object{{"topology", text_of(plan.name)},
                                      {"verdict", verdict == verdict::nothing   ? "nothing"
                                                  : verdict == verdict::changes ? "changes"
                                                                                : "refused"},
                                      {"plan", text_of(plan.hash)},
                                      {"problems", objects_of(plan.problems)},
                                      {"steps", objects_of(plan.steps)},
                                      {"silent", list_of(plan.silent)}});
}

result<host_answer> read_answer(std::string_view body) {
  const error other{errc::corrupt, "the host's answer is not the JSON expected here; is it another version of gantry?"};
  const auto object = object_in(body);
  if (!object) return other;
  const auto* const problems = list(*object, "problems");
  const auto* const steps = list(*object, "steps");
  if (problems == nullptr || steps == nullptr) return other;
  host_answer out;
  out.host = text(*object, "host");
  out.applied = text(*object, "applied");
  for (const auto& item : *problems) {
    if (!item.is_object()) return other;
    const auto& in = item.get_object();
    auto& p = out.problems.emplace_back();
    p.file = text(in, "file");
    p.at = {number(in, "line"), number(in, "column")};
    p.level = text(in, "severity") == "warning" ? topology::severity::warning : topology::severity::error;
    p.message = text(in, "message");
  }
  for (const auto& item : *steps) {
    if (!item.is_object()) return other;
    const auto& in = item.get_object();
    auto& s = out.steps.emplace_back();
    if (!read_kind(text(in, "kind"), s.kind)) return other;
    s.host = text(in, "host");
    s.subject = text(in, "subject");
    s.title = text(in, "title");
    s.why = texts(in, "why");
    s.effects = texts(in, "effects");
    s.breaks = texts(in, "breaks");
    s.hosts = texts(in, "hosts");
    s.first = in.contains("first");
    s.last = in.contains("last");
    s.between_hosts = in.contains("betweenHosts");
    s.digest = text(in, "digest");
  }
  return out;
}

}  // namespace gantry::plan
