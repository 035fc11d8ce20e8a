#include "loader/discover.hpp"

#include <utility>

#include "loader/inspect.hpp"

namespace gantry::loader {
namespace {

trust_policy trust_of(const topology::topology& model) {
  trust_policy out{*model.trust.required, {}};
  for (const auto& text : model.trust.keys) {
    // A key that is none is reported by the topology's own checks.
    if (auto key = parse_public_key(*text)) out.keys.push_back(*key);
  }
  return out;
}

result<manifest> checked_manifest(const std::filesystem::path& file, const trust_policy& trust,
                                  std::vector<std::string>& faults) {
  auto report = inspect(file, trust.keys);
  if (!report) return report.failure();
  faults = report->faults;
  const bool refused_already =
      report->signature.state == signature_state::altered || report->signature.state == signature_state::malformed;
  if (auto admitted = admit(report->signature, trust); !admitted && !refused_already) {
    faults.push_back(admitted.failure().text);
  }
  if (!report->manifest) {
    std::string text = faults.empty() ? std::string{} : faults.front();
    faults.erase(faults.begin());
    return error{errc::invalid, std::move(text)};
  }
  return std::move(*report->manifest);
}

}  // namespace

discovery discover(const topology::topology& model) {
  discovery out;
  const trust_policy trust = trust_of(model);
  for (const auto& [id, plugin] : model.plugins) {
    const std::string file = topology::find_library(model, id, topology::is_file).found;
    if (file.empty()) continue;
    std::vector<std::string> faults;
    auto found = checked_manifest(file, trust, faults);
    if (!found) faults.insert(faults.begin(), found.failure().text);
    for (std::string& fault : faults) {
      out.problems.push_back(topology::make_problem(model.file, plugin.library.given ? plugin.library.at : plugin.at,
                                                    topology::severity::error, "plugins." + id + ".library",
                                                    std::move(fault), "a plugin that this host can load", ""));
      out.problems.back().plugin = id;
    }
    if (found) out.manifests.emplace(id, std::move(*found));
  }
  return out;
}

validation validate(topology::parsed_topology parsed) {
  discovery found = discover(parsed.model);
  std::vector<topology::problem> all = std::move(parsed.problems);
  const auto take = [&all](std::vector<topology::problem> more) {
    all.insert(all.end(), std::make_move_iterator(more.begin()), std::make_move_iterator(more.end()));
  };
  take(std::move(found.problems));
  take(topology::validate(parsed.model, found.manifests));
  topology::sort_by_place(all);
  return {std::move(parsed.model), std::move(found.manifests), std::move(all)};
}

validation validate_file(const std::string& file, const topology::env_lookup& env) {
  return validate(topology::load_topology(file, env));
}

}  // namespace gantry::loader
